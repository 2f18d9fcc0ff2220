// Page sizes and page tokens (AIP-158). A token is opaque to clients: the last id (or sequence
// number) of the page before, behind a mark that tells it from text that somebody typed.
#pragma once

#include "mgmt/common/error.hpp"
#include "mgmt/common/resource_name.hpp"
#include "mgmt/skepd/catalogue/records.hpp"

#include <charconv>
#include <string>

namespace skep::mgmt {

inline Error bad_page_token() {
    return Error(Code::InvalidArgument, "INVALID_PAGE_TOKEN",
                 "page_token does not come from a list call")
        .in_field("page_token");
}

inline Result<int> page_size(int asked) {
    if (asked < 0)
        return fail(Error(Code::InvalidArgument, "INVALID_PAGE_SIZE", "page_size is negative")
                        .in_field("page_size"));
    return asked == 0 ? 100 : asked > 1000 ? 1000 : asked;
}

inline Result<std::string> id_of_page_token(const std::string& token) {
    if (token.empty())
        return std::string();
    if (!token.starts_with("after:"))
        return fail(bad_page_token());
    return parse_id(token.substr(6), "page_token");
}

inline Result<std::int64_t> sequence_of_page_token(const std::string& token) {
    if (token.empty())
        return 0;
    std::int64_t sequence = 0;
    auto digits = std::string_view(token).substr(token.starts_with("before:") ? 7 : 0);
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), sequence);
    if (digits.size() == token.size() || error != std::errc() ||
        end != digits.data() + digits.size() || sequence <= 0)
        return fail(bad_page_token());
    return sequence;
}

// Fills a list response's repeated field and next_page_token from a table in order of ids.
template <typename Message, typename Request, typename Add>
Result<std::string> list_page(Catalogue& catalogue, Table table, const Request& request, Add add) {
    auto size = page_size(request.page_size());
    RETURN_IF_ERROR(size);
    auto after = id_of_page_token(request.page_token());
    RETURN_IF_ERROR(after);
    auto rows = catalogue.list(table, *after, *size);
    RETURN_IF_ERROR(rows);
    for (const auto& row : *rows) {
        auto message = decode<Message>(table, row);
        RETURN_IF_ERROR(message);
        *add() = std::move(*message);
    }
    return static_cast<int>(rows->size()) == *size ? "after:" + rows->back().id : std::string();
}

}  // namespace skep::mgmt
