// Damage by accident: flipped bytes and files that end early. Every one is refused, with the place.
#include <snapshot/reader.hpp>
#include <snapshot/testing/sample_guest.hpp>

#include <gtest/gtest.h>

#include <random>

namespace skep::snapshot {
namespace {

using testing::sample_guest;

constexpr unsigned kSeed = 20240501;

// Every byte of a file has a meaning, so there is none whose damage may go unnoticed.
void expect_refused(std::span<const std::byte> bytes, const std::string& what,
                    std::uint64_t damaged_offset) {
    const MemoryFile file(bytes);
    const auto snapshot = Snapshot::open(file);
    ASSERT_FALSE(snapshot) << what << " was not noticed";
    const Error& error = snapshot.error();
    ASSERT_TRUE(error.where) << what << ": " << error.describe();
    // The record named is the one that was hit: it begins at or before the damage, and no later
    // record can be.
    EXPECT_LE(error.where->offset, damaged_offset) << what << ": " << error.describe();
    EXPECT_NE(error.describe().find("offset " + std::to_string(error.where->offset)),
              std::string::npos);
}

TEST(Damage, FlippedBytesAtRandomPlaces) {
    const std::vector<std::byte> good = testing::write(sample_guest());
    std::mt19937 random(kSeed);
    for (int i = 0; i < 2000; ++i) {
        std::vector<std::byte> bytes = good;
        const std::size_t place = random() % bytes.size();
        const auto mask = static_cast<std::byte>(1 + random() % 255);
        bytes[place] ^= mask;
        expect_refused(bytes, "byte " + std::to_string(place), place);
        if (HasFatalFailure())
            return;
    }
}

TEST(Damage, FlippedBitsOutsideOfPages) {
    // Without pages nearly every byte is framing or state.
    auto guest = sample_guest();
    std::ranges::fill(guest.low_ram, std::byte{0});
    std::ranges::fill(guest.high_ram, std::byte{0});
    std::ranges::fill(guest.disk, std::byte{0});
    const std::vector<std::byte> good = testing::write(guest, {.include_schema = false});
    std::vector<std::byte> bytes = good;
    for (std::size_t place = 0; place < bytes.size(); ++place) {
        const auto bit = static_cast<std::byte>(1 << place % 8);
        bytes[place] ^= bit;
        expect_refused(bytes, "byte " + std::to_string(place), place);
        bytes[place] ^= bit;
        if (HasFatalFailure())
            return;
    }
}

TEST(Damage, Truncations) {
    const std::vector<std::byte> good = testing::write(sample_guest());
    std::mt19937 random(kSeed);
    std::vector<std::size_t> sizes{0, 1, 31, 32, 33, good.size() - 1, good.size() - 16};
    while (sizes.size() < 200)
        sizes.push_back(random() % good.size());
    for (const std::size_t size : sizes)
        expect_refused(std::span(good).first(size), "the first " + std::to_string(size), size);
}

TEST(Damage, BytesAfterTheEnd) {
    std::vector<std::byte> bytes = testing::write(sample_guest());
    bytes.push_back(std::byte{0});
    const MemoryFile file(bytes);
    const auto snapshot = Snapshot::open(file);
    ASSERT_FALSE(snapshot);
    EXPECT_EQ(snapshot.error().code, ErrorCode::LeftOver);
}

TEST(Damage, AfterTheFileWasJudged) {
    const auto guest = sample_guest();
    std::vector<std::byte> bytes = testing::write(guest);
    const MemoryFile file(bytes);
    const auto snapshot = Snapshot::open(file);
    ASSERT_TRUE(snapshot);
    for (std::size_t place = bytes.size() / 4; place < bytes.size(); ++place)
        bytes[place] ^= std::byte{0x55};
    EXPECT_NE(testing::compare(*snapshot, guest).find("damaged"), std::string::npos);
}

}  // namespace
}  // namespace skep::snapshot
