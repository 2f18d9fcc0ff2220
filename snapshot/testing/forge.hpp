// Takes a snapshot apart into records and puts it together again with every checksum, number, index
// and digest right: so that tests and fuzzers get past the checksums with content of their choice.
#pragma once

#include <snapshot/frame.hpp>

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skep::snapshot::testing {

struct ForgedRecord {
    std::string kind;
    std::uint16_t version = 1;
    std::uint16_t flags = Frame::kFlagRequired;
    std::string payload = {};
};

// Of a valid snapshot; without index and trailer.
std::vector<ForgedRecord> take_apart(std::span<const std::byte> snapshot);

struct ForgeOptions {
    Header header = {};
    // Changes the index or the trailer that would fit.
    std::function<void(std::vector<ForgedRecord>&)> change_end = {};
};
std::vector<std::byte> put_together(std::span<const ForgedRecord> records,
                                    const ForgeOptions& options = {});

// The first record of a kind.
ForgedRecord& find(std::vector<ForgedRecord>& records, std::string_view kind);

// Parses a record's payload, lets `change` change it, and stores it again.
template <typename Message, typename Change>
void edit(ForgedRecord& record, Change change) {
    Message message;
    message.ParseFromString(record.payload);
    change(message);
    record.payload = message.SerializeAsString();
}

}  // namespace skep::snapshot::testing
