#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/resource_commands.hpp"

#include "skep/api/v1/operation_service.pb.h"

namespace skep::mgmt::cli {

using namespace skep::api::v1;

void add_operation_cancel(Parent& operation, Context& context) {
    add_showing<CancelOperationRequest, CancelOperationResponse,
                &CancelOperationResponse::operation>(operation, context, "cancel",
                                                     "asks an operation to stop halfway");
}

}  // namespace skep::mgmt::cli
