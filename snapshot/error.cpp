#include <snapshot/error.hpp>

#include <cstring>

namespace skep::snapshot {

std::string_view name(ErrorCode code) {
    switch (code) {
        case ErrorCode::Io:
            return "I/O error";
        case ErrorCode::NotSnapshot:
            return "not a snapshot";
        case ErrorCode::Newer:
            return "needs a newer reader";
        case ErrorCode::Damaged:
            return "damaged";
        case ErrorCode::Truncated:
            return "truncated";
        case ErrorCode::Malformed:
            return "malformed";
        case ErrorCode::Unknown:
            return "unknown";
        case ErrorCode::Missing:
            return "missing state";
        case ErrorCode::LeftOver:
            return "left-over state";
        case ErrorCode::Duplicate:
            return "duplicate state";
        case ErrorCode::TooLarge:
            return "too large";
        case ErrorCode::Cancelled:
            return "cancelled";
        case ErrorCode::Misuse:
            return "misuse";
    }
    return "error";
}

std::string Error::describe() const {
    std::string text;
    if (where) {
        if (where->kind == "header" || where->kind == "footer")
            text = where->kind;
        else
            text = "record " + std::to_string(where->index) +
                   (where->kind.empty() ? "" : " (" + where->kind + ")");
        text += " at offset " + std::to_string(where->offset) + ": ";
    }
    text += name(code);
    text += ": ";
    text += message;
    return text;
}

std::unexpected<Error> fail_errno(std::string_view what, int error_number) {
    return fail(ErrorCode::Io, std::string(what) + ": " + std::strerror(error_number));
}

}  // namespace skep::snapshot
