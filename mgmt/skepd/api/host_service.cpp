#include "mgmt/skepd/api/host_service.hpp"

#include "mgmt/skepd/host/host_info.hpp"

#include "skep/api/v1/host_service.grpc.pb.h"

namespace skep::mgmt {
namespace {

using namespace skep::api::v1;

class HostServiceImpl final : public HostService::Service {
  public:
    HostServiceImpl(const Options& options, const VmManager& vms) : options_(options), vms_(vms) {}

    grpc::Status GetHost(grpc::ServerContext*, const GetHostRequest*,
                         GetHostResponse* response) override {
        auto& host = *response->mutable_host();
        host = host_info(options_.vmm_control);
        host.set_running_vms(static_cast<std::uint32_t>(vms_.running()));
        return grpc::Status::OK;
    }

  private:
    Options options_;
    const VmManager& vms_;
};

}  // namespace

std::unique_ptr<grpc::Service> make_host_service(const Options& options, const VmManager& vms) {
    return std::make_unique<HostServiceImpl>(options, vms);
}

}  // namespace skep::mgmt
