// What can go wrong in the management plane, in the terms of the API: a google.rpc.Code, a sentence
// that names the thing, and what a program or a person needs to react
// (proto/skep/api/v1/error.proto).
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace skep::mgmt {

// The numbers of google.rpc.Code, which are also gRPC's.
enum class Code : int {
    Ok = 0,
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
};

struct [[nodiscard]] Error {
    Code code = Code::Unknown;
    std::string message;
    std::string reason;    // UPPER_SNAKE_CASE
    std::string resource;  // "vms/a"
    std::string field;     // "vm.spec.vcpus"
    std::string hint;      // what to do next

    Error() = default;
    Error(Code c, std::string why, std::string msg)
        : code(c), message(std::move(msg)), reason(std::move(why)) {}

    Error&& on(std::string name) && {
        resource = std::move(name);
        return std::move(*this);
    }
    Error&& in_field(std::string name) && {
        field = std::move(name);
        return std::move(*this);
    }
    Error&& with_hint(std::string what) && {
        hint = std::move(what);
        return std::move(*this);
    }
};

template <typename T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Error error) {
    return std::unexpected<Error>(std::move(error));
}

// A system call failed: the code follows errno (ENOSPC: RESOURCE_EXHAUSTED, EACCES:
// PERMISSION_DENIED, ...).
Error system_error(int error_number, const std::string& what);

const char* code_name(Code code);  // "NOT_FOUND"

}  // namespace skep::mgmt

// Leaves the function with the error of an expression of type Result<T>.
#define RETURN_IF_ERROR(expression)                                \
    if (auto&& try_result = (expression); !try_result.has_value()) \
    return ::skep::mgmt::fail(std::move(try_result.error()))
