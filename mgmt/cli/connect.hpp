// For commands with streams, which need gRPC itself: auto vms = connect<VmService>(context).
#pragma once

#include "mgmt/cli/context.hpp"
#include "mgmt/common/api_status.hpp"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <memory>

namespace skep::mgmt::cli {

template <typename Service>
Result<std::unique_ptr<typename Service::Stub>> connect(Context& context) {
    auto channel = context.channel();
    RETURN_IF_ERROR(channel);
    return Service::NewStub(*channel);
}

inline std::unique_ptr<grpc::ClientContext> authorized(const Context& context) {
    auto call = std::make_unique<grpc::ClientContext>();
    context.authorize(*call);
    return call;
}

}  // namespace skep::mgmt::cli
