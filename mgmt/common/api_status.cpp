#include "mgmt/common/api_status.hpp"

namespace skep::mgmt {

skep::api::v1::Status to_api(const Error& error) {
    skep::api::v1::Status status;
    status.set_code(static_cast<int>(error.code));
    status.set_message(error.message);
    skep::api::v1::ErrorDetail detail;
    detail.set_reason(error.reason);
    detail.set_resource(error.resource);
    detail.set_field(error.field);
    detail.set_hint(error.hint);
    status.add_details()->PackFrom(detail);
    return status;
}

Error from_api(const skep::api::v1::Status& status) {
    Error error(static_cast<Code>(status.code()), "", status.message());
    for (const auto& any : status.details()) {
        skep::api::v1::ErrorDetail detail;
        if (any.Is<skep::api::v1::ErrorDetail>() && any.UnpackTo(&detail)) {
            error.reason = detail.reason();
            error.resource = detail.resource();
            error.field = detail.field();
            error.hint = detail.hint();
        }
    }
    return error;
}

grpc::Status to_grpc(const Error& error) {
    return {static_cast<grpc::StatusCode>(error.code), error.message,
            to_api(error).SerializeAsString()};
}

Error from_grpc(const grpc::Status& status) {
    skep::api::v1::Status api;
    if (!status.error_details().empty() && api.ParseFromString(status.error_details())) {
        auto error = from_api(api);
        error.code = static_cast<Code>(status.error_code());
        error.message = status.error_message();
        return error;
    }
    return {static_cast<Code>(status.error_code()), "", status.error_message()};
}

}  // namespace skep::mgmt
