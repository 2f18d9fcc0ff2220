#include "mgmt/skepd/api/host_service.hpp"

#include "mgmt/skepd/host/host_info.hpp"

#include "skep/api/v1/host_service.grpc.pb.h"

namespace skep::mgmt {
namespace {

using namespace skep::api::v1;

class HostServiceImpl final : public HostService::Service {
  public:
    explicit HostServiceImpl(const Options& options) : options_(options) {}

    grpc::Status GetHost(grpc::ServerContext*, const GetHostRequest*, GetHostResponse* response) override {
        *response->mutable_host() = host_info(options_.vmm_control);
        return grpc::Status::OK;
    }

  private:
    Options options_;
};

}  // namespace

std::unique_ptr<grpc::Service> make_host_service(const Options& options) {
    return std::make_unique<HostServiceImpl>(options);
}

}  // namespace skep::mgmt
