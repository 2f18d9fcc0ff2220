// Errors of skep-vmm: a google.rpc.Code, which goes into the answer as it is, and a sentence that
// names the thing that is wrong.
#pragma once

#include <snapshot/error.hpp>

#include <cstdint>
#include <cstring>
#include <expected>
#include <string>
#include <utility>

namespace skep::guestdev {

// Numbers of google/rpc/code.proto.
enum class Code : std::uint32_t {
    InvalidArgument = 3,
    NotFound = 5,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
};

struct Error {
    Code code;
    std::string message;

    Error(Code error_code, std::string text) : code(error_code), message(std::move(text)) {}
    // An unreadable snapshot is the file's fault, an unwritable one the descriptor's.
    Error(const snapshot::Error& error)  // NOLINT(google-explicit-constructor): for SKEP_TRY
        : code(error.code == snapshot::ErrorCode::Io        ? Code::Unavailable
               : error.code == snapshot::ErrorCode::Newer   ? Code::Unimplemented
               : error.code == snapshot::ErrorCode::Unknown ? Code::Unimplemented
               : error.code == snapshot::ErrorCode::Misuse  ? Code::Internal
                                                            : Code::DataLoss),
          message(error.describe()) {}
};

template <typename T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

inline std::unexpected<Error> fail(Code code, std::string message) {
    return std::unexpected(Error(code, std::move(message)));
}

inline std::unexpected<Error> fail_errno(Code code, const std::string& what, int number) {
    return fail(code, what + ": " + std::strerror(number));
}

}  // namespace skep::guestdev
