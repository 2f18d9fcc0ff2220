#include "mgmt/skepd/server.hpp"

#include "mgmt/common/api_status.hpp"

#include <grpcpp/resource_quota.h>
#include <grpcpp/security/auth_metadata_processor.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <cstdlib>

namespace skep::mgmt {
namespace {

// The one method that needs no credential: it is how one is had.
constexpr const char* kOpenMethod = "/skep.api.v1.AuthService/ExchangeToken";

// Asked for every call before its handler is looked up, so that no method can forget to.
class BearerAuthentication : public grpc::AuthMetadataProcessor {
  public:
    explicit BearerAuthentication(const Authority& authority) : authority_(authority) {}

    // A digest and a look-up in memory: not worth a thread hop.
    bool IsBlocking() const override { return false; }

    grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext*,
                         OutputMetadata* consumed, OutputMetadata*) override {
        auto path = metadata.find(":path");
        if (path != metadata.end() && path->second == kOpenMethod)
            return grpc::Status::OK;
        std::optional<std::string> authorization;
        if (auto found = metadata.find("authorization"); found != metadata.end()) {
            authorization.emplace(found->second.data(), found->second.size());
            consumed->insert({"authorization", *authorization});
        }
        auto caller = authority_.authenticate(authorization);
        return caller ? grpc::Status::OK : to_grpc(caller.error());
    }

  private:
    const Authority& authority_;
};

}  // namespace

void prepare_grpc_environment() {
    // skepd starts children by posix_spawn, which gRPC's fork handlers need not see.
    ::setenv("GRPC_ENABLE_FORK_SUPPORT", "false", 1);
    ::setenv("GRPC_POLL_STRATEGY", "epoll1", 0);
    // The server resolves nothing but its own listening address.
    ::setenv("GRPC_DNS_RESOLVER", "native", 1);
}

Result<RunningServer> start_server(const std::string& listen, const Certificate& certificate,
                                   const Authority& authority,
                                   const std::vector<grpc::Service*>& services) {
    grpc::SslServerCredentialsOptions tls(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
    tls.pem_key_cert_pairs.push_back({certificate.key_pem, certificate.certificate_pem});
    auto credentials = grpc::SslServerCredentials(tls);
    credentials->SetAuthMetadataProcessor(std::make_shared<BearerAuthentication>(authority));

    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort(listen, credentials, &port);
    for (auto* service : services)
        builder.RegisterService(service);
    builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
    builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
    builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2);
    grpc::ResourceQuota quota("skepd");
    quota.SetMaxThreads(64);
    builder.SetResourceQuota(quota);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    // A client that vanished is noticed within two minutes, and its uploads end.
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 60'000);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);

    RunningServer running;
    running.server = builder.BuildAndStart();
    if (!running.server || port <= 0)
        return fail(Error(Code::Unavailable, "LISTEN_FAILED", "cannot listen on " + listen)
                        .with_hint("is the port taken, or the address not this machine's?"));
    running.address = listen.substr(0, listen.rfind(':') + 1) + std::to_string(port);
    return running;
}

}  // namespace skep::mgmt
