#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/resource_commands.hpp"

#include "skep/api/v1/operation_service.pb.h"

namespace skep::mgmt::cli {

using namespace skep::api::v1;

void add_operation_get(Parent& operation, Context& context) {
    add_showing<GetOperationRequest, GetOperationResponse, &GetOperationResponse::operation>(
        operation, context, "get", "all about an operation");
}

}  // namespace skep::mgmt::cli
