// Errors between their three forms: ours, the API's message (in operations and trailers), gRPC's
// status.
#pragma once

#include "mgmt/common/error.hpp"

#include <grpcpp/support/status.h>

#include "skep/api/v1/error.pb.h"

namespace skep::mgmt {

skep::api::v1::Status to_api(const Error& error);
Error from_api(const skep::api::v1::Status& status);

grpc::Status to_grpc(const Error& error);
// A status that this side's gRPC made (no answer, TLS refused) has no detail; its code and text are
// kept.
Error from_grpc(const grpc::Status& status);

// Result<void> -> status.
inline grpc::Status to_grpc(const Result<void>& result) {
    return result ? grpc::Status::OK : to_grpc(result.error());
}

}  // namespace skep::mgmt
