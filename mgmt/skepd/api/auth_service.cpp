#include "mgmt/skepd/api/auth_service.hpp"

#include "mgmt/common/api_status.hpp"

#include "skep/api/v1/auth_service.grpc.pb.h"

#include <cstdio>

namespace skep::mgmt {
namespace {

using namespace skep::api::v1;

class AuthServiceImpl final : public AuthService::Service {
  public:
    explicit AuthServiceImpl(Authority& authority) : authority_(authority) {}

    grpc::Status ExchangeToken(grpc::ServerContext* context, const ExchangeTokenRequest* request,
                               ExchangeTokenResponse* response) override {
        auto issued = authority_.exchange(request->one_time_token(), request->display_name());
        if (!issued) {
            // A refused login is something the owner of the machine wants to see.
            std::printf("skepd: login refused for %s: %s\n", context->peer().c_str(),
                        issued.error().message.c_str());
            return to_grpc(issued.error());
        }
        std::printf("skepd: login of %s as %s\n", context->peer().c_str(),
                    issued->credential.name().c_str());
        *response->mutable_credential() = issued->credential;
        response->set_secret(issued->secret);
        return grpc::Status::OK;
    }

  private:
    Authority& authority_;
};

}  // namespace

std::unique_ptr<grpc::Service> make_auth_service(Authority& authority) {
    return std::make_unique<AuthServiceImpl>(authority);
}

}  // namespace skep::mgmt
