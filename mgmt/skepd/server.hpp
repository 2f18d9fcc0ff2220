// The gRPC server: TLS, who may call, the services, how many threads.
//
// It is gRPC's synchronous server: a call runs on a thread of its own, so that file and
// control-socket work may block, and idle it keeps one poller. The callback API would bring an
// executor's worth of threads and forbid blocking, for call rates that a management plane never
// sees.
#pragma once

#include "mgmt/common/error.hpp"
#include "mgmt/skepd/auth/authority.hpp"
#include "mgmt/skepd/tls.hpp"

#include <grpcpp/impl/service_type.h>
#include <grpcpp/server.h>

#include <memory>
#include <string>
#include <vector>

namespace skep::mgmt {

struct RunningServer {
    std::unique_ptr<grpc::Server> server;
    std::string address;  // HOST:PORT with the port that was chosen if 0 was asked for
};

// To be called before anything of gRPC: its settings come from the environment.
void prepare_grpc_environment();

Result<RunningServer> start_server(const std::string& listen, const Certificate& certificate,
                                   const Authority& authority,
                                   const std::vector<grpc::Service*>& services);

}  // namespace skep::mgmt
