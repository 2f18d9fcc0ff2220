// Errors of the snapshot library. Everything that can be wrong with a file ends here, naming the
// record by kind, number and byte offset.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace skep::snapshot {

enum class ErrorCode {
    Io,           // the operating system, or the other end of a stream
    NotSnapshot,  // the magic is not there
    Newer,        // made for a newer reader: container version, record version or feature
    Damaged,      // a checksum or the digest does not match
    Truncated,    // the file ends inside or before something that must be there
    Malformed,    // undamaged, but against the rules of the format
    Unknown,      // a required record kind or encoding that this reader does not know
    Missing,      // state that must be there is not
    LeftOver,     // state that nobody asked for, or bytes after the end
    Duplicate,    // state that is there twice
    TooLarge,     // beyond the format's limits
    Cancelled,    // by the progress callback
    Misuse,       // the caller broke the interface's rules
};

std::string_view name(ErrorCode code);

// The record at fault.
struct Location {
    std::string kind;      // "header", "footer", a record's kind; empty if that cannot be read
    std::uint64_t index;   // number of the record, the manifest being 0
    std::uint64_t offset;  // of its frame, in bytes from the start of the file
};

struct Error {
    ErrorCode code;
    std::string message;                 // names the thing and what is wrong with it
    std::optional<Location> where = {};  // if it is about a place in a file

    // One line for people: "record 7 (device) at offset 5120: damaged: ...".
    std::string describe() const;
};

template <typename T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

inline std::unexpected<Error> fail(ErrorCode code, std::string message) {
    return std::unexpected(Error{.code = code, .message = std::move(message)});
}

// ErrorCode::Io with the text of `error_number`.
std::unexpected<Error> fail_errno(std::string_view what, int error_number);

}  // namespace skep::snapshot

// The value of a Result, or return its error from the enclosing function.
#define SKEP_TRY(expression)                                            \
    __extension__({                                                     \
        auto skep_try_result = (expression);                            \
        if (!skep_try_result)                                           \
            return std::unexpected(std::move(skep_try_result).error()); \
        *std::move(skep_try_result);                                    \
    })
