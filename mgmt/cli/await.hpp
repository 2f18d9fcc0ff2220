// Waits for an operation and shows how it gets on.
#pragma once

#include "mgmt/cli/context.hpp"

#include "skep/api/v1/operation_service.pb.h"

#include <string>

namespace skep::mgmt::cli {

// Until it is done; the error is the operation's own.
Result<skep::api::v1::Operation> wait_for_operation(Context& context,
                                                    skep::api::v1::Operation operation,
                                                    const std::string& label);

// The resource that a done operation made or changed.
template <typename Message>
Result<Message> result_of(const skep::api::v1::Operation& operation) {
    Message message;
    if (!operation.response().UnpackTo(&message))
        return fail(Error(Code::Internal, "UNEXPECTED_RESPONSE",
                          operation.name() + " returned " + operation.response().type_url()));
    return message;
}

}  // namespace skep::mgmt::cli
