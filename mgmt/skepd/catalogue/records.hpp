// Catalogue rows as the API's messages: decoded, with the etag of their revision.
#pragma once

#include "mgmt/skepd/catalogue/catalogue.hpp"

#include <string>

namespace skep::mgmt {

// Changes with every change of the row, and differs between two resources that had the same name.
template <typename Message>
std::string etag_of(const Message& message, std::int64_t revision) {
    return message.uid() + "-" + std::to_string(revision);
}

template <typename Message>
Result<Message> decode(Table table, const Row& row) {
    Message message;
    if (!message.ParseFromString(row.record)) {
        auto name = std::string(table_name(table)) + "/" + row.id;
        return fail(
            Error(Code::DataLoss, "CATALOGUE_DAMAGED", "the record of " + name + " is damaged")
                .on(name));
    }
    if constexpr (requires { message.uid(); })
        message.set_etag(etag_of(message, row.revision));
    return message;
}

template <typename Message>
Result<Message> get_record(Catalogue& catalogue, Table table, const std::string& id) {
    auto row = catalogue.get(table, id);
    RETURN_IF_ERROR(row);
    return decode<Message>(table, *row);
}

// An optional etag of a request against the resource as it is (AIP-154).
template <typename Message>
Result<void> check_etag(const Message& message, const std::string& wanted) {
    if (wanted.empty() || wanted == message.etag())
        return {};
    return fail(
        Error(Code::Aborted, "ETAG_MISMATCH", message.name() + " has changed since etag " + wanted)
            .on(message.name())
            .in_field("etag")
            .with_hint("get it again and decide on what it is now"));
}

}  // namespace skep::mgmt
