#include <snapshot/reader.hpp>
#include <snapshot/testing/sample_guest.hpp>

#include <gtest/gtest.h>

namespace skep::snapshot {
namespace {

using testing::compare;
using testing::sample_guest;
using testing::SampleGuest;

void expect_round_trip(WriterOptions options) {
    const SampleGuest guest = sample_guest();
    const std::vector<std::byte> bytes = testing::write(guest, std::move(options));
    const MemoryFile file(bytes);
    const auto snapshot = Snapshot::open(file);
    ASSERT_TRUE(snapshot) << snapshot.error().describe();
    EXPECT_EQ(compare(*snapshot, guest), "");

    const Summary& summary = snapshot->summary();
    EXPECT_EQ(summary.file_bytes, bytes.size());
    EXPECT_EQ(summary.ram_bytes, guest.low_ram.size() + guest.high_ram.size());
    EXPECT_GT(summary.ram_zero_bytes, summary.ram_bytes / 2);
    EXPECT_LT(bytes.size(), summary.ram_bytes / 2);
}

TEST(RoundTrip, Compressed) {
    expect_round_trip({});
}

TEST(RoundTrip, Uncompressed) {
    expect_round_trip({.compression_level = 0});
}

TEST(RoundTrip, BatchSizes) {
    for (const std::uint32_t pages : {1u, 3u, 8u, 255u, 1024u})
        expect_round_trip({.batch_pages = pages});
}

TEST(RoundTrip, ThreadsWriteTheSameBytes) {
    const SampleGuest guest = sample_guest();
    const auto alone = testing::write(guest, {.batch_pages = 8});
    for (const unsigned threads : {2u, 5u})
        EXPECT_EQ(testing::write(guest, {.batch_pages = 8, .threads = threads}), alone) << threads;
}

// A stream that gives few bytes at a time, as a socket does.
class Dribble final : public Source {
  public:
    explicit Dribble(std::span<const std::byte> bytes) : bytes_(bytes) {}
    Result<std::size_t> read(std::span<std::byte> buffer) override {
        const std::size_t size = std::min({buffer.size(), bytes_.size(), step_++ % 97 + 1});
        std::ranges::copy(bytes_.first(size), buffer.begin());
        bytes_ = bytes_.subspan(size);
        return size;
    }

  private:
    std::span<const std::byte> bytes_;
    std::size_t step_ = 0;
};

TEST(RoundTrip, StreamIsJudgedAndCopied) {
    const std::vector<std::byte> bytes = testing::write(sample_guest());
    Dribble stream(bytes);
    MemorySink copy;
    TeeSource tee(stream, copy);
    const auto summary = judge(tee);
    ASSERT_TRUE(summary) << summary.error().describe();
    EXPECT_EQ(copy.bytes(), bytes);
    EXPECT_EQ(summary->file_bytes, bytes.size());
}

TEST(RoundTrip, WriterAndReaderAgreeOnTheDigest) {
    const SampleGuest guest = sample_guest();
    MemorySink sink;
    auto first = testing::write(guest, sink);
    ASSERT_TRUE(first);
    const MemoryFile file(sink.bytes());
    const auto snapshot = Snapshot::open(file);
    ASSERT_TRUE(snapshot);
    EXPECT_EQ(testing::write(guest), sink.bytes()) << "writing is deterministic";
}

TEST(RoundTrip, RecordsInAnyOrder) {
    const SampleGuest guest = sample_guest();
    MemorySink sink;
    auto writer = Writer::begin(sink, guest.manifest);
    ASSERT_TRUE(writer);
    // As a migration sends them: pages first, out of order, what the CPUs hold last.
    ASSERT_TRUE(writer->ram(guest.manifest.ram(1).gpa(), guest.high_ram));
    const std::size_t half = guest.low_ram.size() / 2;
    ASSERT_TRUE(writer->ram(half, std::span(guest.low_ram).subspan(half)));
    ASSERT_TRUE(writer->disk(0, 0, guest.disk));
    ASSERT_TRUE(writer->ram(0, std::span(guest.low_ram).first(half)));
    for (int i = 2; i >= 0; --i)
        ASSERT_TRUE(writer->device("sample", guest.manifest.devices(i).instance(),
                                   SampleGuest::device_state(i)));
    for (const auto& vcpu : guest.vcpus)
        ASSERT_TRUE(writer->vcpu(vcpu));
    ASSERT_TRUE(writer->clock(guest.clock));
    ASSERT_TRUE(writer->finish());
    const MemoryFile file(sink.bytes());
    const auto snapshot = Snapshot::open(file);
    ASSERT_TRUE(snapshot) << snapshot.error().describe();
    EXPECT_EQ(compare(*snapshot, guest), "");
}

TEST(RoundTrip, ProgressCountsAndCancels) {
    const SampleGuest guest = sample_guest();
    std::uint64_t last = 0, total = 0;
    const auto bytes =
        testing::write(guest, {.progress = [&](std::uint64_t done, std::uint64_t of) {
                           EXPECT_GE(done, last);
                           last = done;
                           total = of;
                           return true;
                       }});
    EXPECT_EQ(last, total);
    EXPECT_GE(total, guest.low_ram.size() + guest.high_ram.size() + guest.disk.size());

    MemorySink sink;
    const auto written =
        testing::write(guest, sink, {.progress = [](auto, auto) { return false; }});
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, ErrorCode::Cancelled);

    const MemoryFile file(bytes);
    const auto read = Snapshot::open(file, {.progress = [](auto, auto) { return false; }});
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, ErrorCode::Cancelled);
}

}  // namespace
}  // namespace skep::snapshot
