// A client attached to a guest's serial console.
#pragma once

#include "mgmt/common/error.hpp"
#include "mgmt/skepd/vm/vm_manager.hpp"

#include "skep/api/v1/vm_service.pb.h"

#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>

namespace skep::mgmt {

using ConsoleStream = grpc::ServerReaderWriter<skep::api::v1::AttachConsoleResponse,
                                               skep::api::v1::AttachConsoleRequest>;

Result<void> serve_console(VmManager& vms, grpc::ServerContext& context, ConsoleStream& stream);

}  // namespace skep::mgmt
