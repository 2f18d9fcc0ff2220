#include "mgmt/common/error.hpp"

#include <array>
#include <cerrno>
#include <cstring>

namespace skep::mgmt {

Error system_error(int error_number, const std::string& what) {
    Code code = Code::Internal;
    switch (error_number) {
        case ENOSPC:
        case EDQUOT:
        case ENOMEM:
        case EMFILE:
        case ENFILE:
        case EAGAIN:
            code = Code::ResourceExhausted;
            break;
        case EACCES:
        case EPERM:
        case EROFS:
            code = Code::PermissionDenied;
            break;
        case ENOENT:
        case ENODEV:
        case ENXIO:
            code = Code::FailedPrecondition;
            break;
        default:
            break;
    }
    return {code, "SYSTEM_CALL_FAILED", what + ": " + std::strerror(error_number)};
}

const char* code_name(Code code) {
    static constexpr std::array kNames = {"OK",
                                          "CANCELLED",
                                          "UNKNOWN",
                                          "INVALID_ARGUMENT",
                                          "DEADLINE_EXCEEDED",
                                          "NOT_FOUND",
                                          "ALREADY_EXISTS",
                                          "PERMISSION_DENIED",
                                          "RESOURCE_EXHAUSTED",
                                          "FAILED_PRECONDITION",
                                          "ABORTED",
                                          "OUT_OF_RANGE",
                                          "UNIMPLEMENTED",
                                          "INTERNAL",
                                          "UNAVAILABLE",
                                          "DATA_LOSS",
                                          "UNAUTHENTICATED"};
    auto index = static_cast<std::size_t>(code);
    return index < kNames.size() ? kNames[index] : "UNKNOWN";
}

}  // namespace skep::mgmt
