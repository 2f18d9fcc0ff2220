#include "mgmt/common/resource_name.hpp"

#include <algorithm>

namespace skep::mgmt {
namespace {

bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// Bytes from outside go into messages: short and printable.
std::string quoted(std::string_view text) {
    std::string out = "'";
    for (char c : text.substr(0, 80))
        out += c >= ' ' && c <= '~' ? c : '?';
    return out + (text.size() > 80 ? "...'" : "'");
}

}  // namespace

Result<std::string> parse_id(std::string_view id, std::string_view field) {
    bool good = !id.empty() && id.size() <= 63 && is_lower(id.front()) && id.back() != '-' &&
                std::all_of(id.begin(), id.end(),
                            [](char c) { return is_lower(c) || is_digit(c) || c == '-'; });
    if (!good) {
        auto what = id.empty() ? std::string("an id is missing") : quoted(id) + " is no valid id";
        return fail(
            Error(Code::InvalidArgument, "INVALID_ID", what + " (" + std::string(field) + ")")
                .in_field(std::string(field))
                .with_hint("use 1 to 63 of a-z, 0-9 and '-', beginning with a letter and "
                           "not ending with '-'"));
    }
    return std::string(id);
}

Result<std::string> parse_name(std::string_view name, std::string_view collection,
                               std::string_view field) {
    auto slash = name.find('/');
    if (slash == std::string_view::npos)
        return parse_id(name, field);
    if (name.substr(0, slash) != collection)
        return fail(Error(Code::InvalidArgument, "INVALID_NAME",
                          quoted(name) + " does not name one of " + std::string(collection) + " (" +
                              std::string(field) + ")")
                        .in_field(std::string(field))
                        .with_hint("write it as " + std::string(collection) + "/ID"));
    return parse_id(name.substr(slash + 1), field);
}

}  // namespace skep::mgmt
