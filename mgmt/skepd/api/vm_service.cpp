#include "mgmt/skepd/api/vm_service.hpp"

#include "mgmt/common/api_status.hpp"
#include "mgmt/common/resource_name.hpp"
#include "mgmt/skepd/api/console_stream.hpp"
#include "mgmt/skepd/api/paging.hpp"

#include "skep/api/v1/vm_service.grpc.pb.h"

namespace skep::mgmt {
namespace {

using namespace skep::api::v1;

class VmServiceImpl final : public VmService::Service {
  public:
    VmServiceImpl(Catalogue& catalogue, VmManager& vms) : catalogue_(catalogue), vms_(vms) {}

    grpc::Status CreateVm(grpc::ServerContext*, const CreateVmRequest* request,
                          CreateVmResponse* response) override {
        auto id = parse_id(request->vm_id(), "vm_id");
        return answer(id ? vms_.create(*id, request->vm(), request->request_id())
                         : Result<Operation>(fail(id.error())),
                      *response);
    }

    grpc::Status ListVms(grpc::ServerContext*, const ListVmsRequest* request,
                         ListVmsResponse* response) override {
        auto next =
            list_page<Vm>(catalogue_, Table::Vms, *request, [&] { return response->add_vms(); });
        if (!next)
            return to_grpc(next.error());
        response->set_next_page_token(*next);
        return grpc::Status::OK;
    }

    grpc::Status GetVm(grpc::ServerContext*, const GetVmRequest* request,
                       GetVmResponse* response) override {
        auto id = parse_name(request->name(), "vms", "name");
        auto vm = id ? vms_.get(*id) : Result<Vm>(fail(id.error()));
        if (!vm)
            return to_grpc(vm.error());
        *response->mutable_vm() = std::move(*vm);
        return grpc::Status::OK;
    }

    grpc::Status DeleteVm(grpc::ServerContext*, const DeleteVmRequest* request,
                          DeleteVmResponse*) override {
        auto id = parse_name(request->name(), "vms", "name");
        return to_grpc(id ? vms_.remove(*id, request->etag(), request->force())
                          : Result<void>(fail(id.error())));
    }

    grpc::Status StartVm(grpc::ServerContext*, const StartVmRequest* request,
                         StartVmResponse* response) override {
        auto id = parse_name(request->name(), "vms", "name");
        return answer(id ? vms_.start(*id, request->etag(), request->request_id())
                         : Result<Operation>(fail(id.error())),
                      *response);
    }

    grpc::Status StopVm(grpc::ServerContext*, const StopVmRequest* request,
                        StopVmResponse* response) override {
        auto id = parse_name(request->name(), "vms", "name");
        return answer(id ? vms_.stop(*id, request->etag(), request->request_id())
                         : Result<Operation>(fail(id.error())),
                      *response);
    }

    grpc::Status AttachConsole(
        grpc::ServerContext* context,
        grpc::ServerReaderWriter<AttachConsoleResponse, AttachConsoleRequest>* stream) override {
        return to_grpc(serve_console(vms_, *context, *stream));
    }

  private:
    template <typename Response>
    static grpc::Status answer(Result<Operation> operation, Response& response) {
        if (!operation)
            return to_grpc(operation.error());
        *response.mutable_operation() = std::move(*operation);
        return grpc::Status::OK;
    }

    Catalogue& catalogue_;
    VmManager& vms_;
};

}  // namespace

std::unique_ptr<grpc::Service> make_vm_service(Catalogue& catalogue, VmManager& vms) {
    return std::make_unique<VmServiceImpl>(catalogue, vms);
}

}  // namespace skep::mgmt
