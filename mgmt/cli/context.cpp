#include "mgmt/cli/context.hpp"

#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

namespace skep::mgmt::cli {

std::shared_ptr<grpc::Channel> make_channel(const std::string& address,
                                            const std::string& certificate_pem) {
    grpc::SslCredentialsOptions tls;
    tls.pem_root_certs = certificate_pem;
    grpc::ChannelArguments arguments;
    // Every Skep certificate has this name; which machine it is, the pinned certificate says.
    arguments.SetSslTargetNameOverride("skep");
    arguments.SetMaxReceiveMessageSize(-1);
    // As login did when it fetched the certificate: directly.
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    // An emulated appliance may need its time for a TLS handshake.
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 60'000);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 60'000);
    return grpc::CreateCustomChannel(address, grpc::SslCredentials(tls), arguments);
}

Result<std::shared_ptr<grpc::Channel>> Context::channel() {
    if (channel_)
        return channel_;
    auto config = load_config(config_file());
    RETURN_IF_ERROR(config);
    auto found = find_server(*config, server);
    RETURN_IF_ERROR(found);
    entry_ = *found;
    channel_ = make_channel(entry_.address(), entry_.certificate());
    return channel_;
}

void Context::authorize(grpc::ClientContext& call) const {
    call.AddMetadata("authorization", "Bearer " + entry_.secret());
}

}  // namespace skep::mgmt::cli
