// The parts that do not need a whole snapshot.
#include <snapshot/apic_page.hpp>
#include <snapshot/atomic_file.hpp>
#include <snapshot/claims.hpp>
#include <snapshot/coverage.hpp>
#include <snapshot/crc32c.hpp>
#include <snapshot/digest.hpp>
#include <snapshot/io.hpp>
#include <snapshot/testing/sample_guest.hpp>

#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <random>

namespace skep::snapshot {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

TEST(Crc32c, KnownValues) {
    // RFC 3720, appendix B.4.
    EXPECT_EQ(crc32c(bytes_of("123456789")), 0xe306'9283u);
    const std::array<std::byte, 32> zeros{};
    EXPECT_EQ(crc32c(zeros), 0x8a91'36aau);
    std::mt19937 random(1);
    std::vector<std::byte> data(1000);
    for (std::byte& byte : data)
        byte = static_cast<std::byte>(random());
    for (std::size_t size = 0; size < 64; ++size) {
        const auto part = std::span(data).subspan(size, size * 3);
        EXPECT_EQ(crc32c(part), crc32c_portable(part));
        EXPECT_EQ(crc32c(part.subspan(size), crc32c(part.first(size))), crc32c(part));
    }
}

TEST(Digest, KnownValue) {
    // The test vector of the XXH3 specification for no input.
    const Digest::Value value = Digest().value();
    EXPECT_EQ(std::to_integer<int>(value[0]), 0x99);
    EXPECT_EQ(std::to_integer<int>(value[15]), 0x7f);
}

TEST(Coverage, MergesAndNamesTheFirstGap) {
    Coverage coverage("RAM");
    coverage.expect(0, 0x8000);
    coverage.expect(0x10000, 0x2000);
    EXPECT_TRUE(coverage.take(0x2000, 0x2000));
    EXPECT_TRUE(coverage.take(0, 0x2000));
    EXPECT_TRUE(coverage.take(0x6000, 0x2000));
    EXPECT_NE(coverage.complete().error().message.find("0x4000"), std::string::npos);
    EXPECT_EQ(coverage.take(0x3000, 0x2000).error().code, ErrorCode::Duplicate);
    EXPECT_EQ(coverage.take(0x5000, 0x2000).error().code, ErrorCode::Duplicate);
    EXPECT_EQ(coverage.take(0x7000, 0x1000).error().code, ErrorCode::Duplicate);
    EXPECT_EQ(coverage.take(0x8000, 0x1000).error().code, ErrorCode::Malformed);
    EXPECT_EQ(coverage.take(0x11000, 0x2000).error().code, ErrorCode::Malformed);
    EXPECT_EQ(coverage.take(0x11000, ~0xfffull).error().code, ErrorCode::Malformed);
    EXPECT_EQ(coverage.take(0x4000, 0).error().code, ErrorCode::Malformed);
    EXPECT_TRUE(coverage.take(0x4000, 0x2000));
    EXPECT_NE(coverage.complete().error().message.find("0x10000"), std::string::npos);
    EXPECT_TRUE(coverage.take(0x10000, 0x2000));
    EXPECT_TRUE(coverage.complete());
}

TEST(Claims, NamesWhatIsMissingOrLeft) {
    std::vector<v1::DeviceState> devices(2);
    for (int i = 0; i < 2; ++i) {
        devices[i].set_kind("uart16550");
        devices[i].set_instance(i == 0 ? "com1" : "com2");
        devices[i].set_version(2);
        devices[i].mutable_state()->PackFrom(testing::SampleGuest::device_state(i));
    }
    Claims claims(devices);
    EXPECT_NE(claims.finish().error().message.find("uart16550/com1"), std::string::npos);
    const auto newer = claims.claim("uart16550", "com1", 1);
    EXPECT_EQ(newer.error().code, ErrorCode::Newer);
    EXPECT_TRUE(claims.claim("uart16550", "com1", 2));
    EXPECT_EQ(claims.claim("uart16550", "com1", 2).error().code, ErrorCode::Duplicate);
    EXPECT_EQ(claims.claim("rtc", "0", 1).error().code, ErrorCode::Missing);
    const auto left = claims.finish();
    EXPECT_EQ(left.error().code, ErrorCode::LeftOver);
    EXPECT_EQ(left.error().message.find("com1"), std::string::npos);
    EXPECT_NE(left.error().message.find("uart16550/com2"), std::string::npos);
    EXPECT_EQ(claims.claim_as<v1::RamRegion>("uart16550", "com2", 2).error().code,
              ErrorCode::Malformed);
    EXPECT_TRUE(claims.finish());
}

TEST(ApicPage, KeepsEveryRegister) {
    std::array<std::byte, kApicPageSize> page{}, again{};
    // The registers of SDM vol. 3, table 11-1 (offsets by 16).
    for (const int offset : {0x20,  0x30,  0x80,  0x90,  0xa0,  0xc0,  0xd0,  0xe0,  0xf0,  0x100,
                             0x110, 0x170, 0x180, 0x1f0, 0x200, 0x270, 0x280, 0x2f0, 0x300, 0x310,
                             0x320, 0x330, 0x340, 0x350, 0x360, 0x370, 0x380, 0x390, 0x3e0})
        for (int i = 0; i < 4; ++i)
            page[offset + i] = static_cast<std::byte>(offset / 16 + i);
    v1::LocalApic apic;
    apic_from_page(page, apic);
    ASSERT_TRUE(apic_to_page(apic, again));
    EXPECT_EQ(page, again);
    apic.clear_lvt_lint0();
    EXPECT_NE(apic_to_page(apic, again).error().message.find("lvt_lint0"), std::string::npos);
}

class AtomicFileTest : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = ::testing::TempDir() + "skep-atomic-XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        directory_ = pattern;
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    std::string read(const std::string& path) {
        std::ifstream file(path);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    std::size_t files() {
        return std::distance(std::filesystem::directory_iterator(directory_), {});
    }
    std::string directory_;
};

TEST_F(AtomicFileTest, IsThereInFullOrNotAtAll) {
    const std::string path = directory_ + "/guest.skep";
    {
        auto file = AtomicFile::create(path);
        ASSERT_TRUE(file) << file.error().describe();
        ASSERT_TRUE(FdSink(file->fd()).write(bytes_of("first")));
        EXPECT_FALSE(std::filesystem::exists(path));
        ASSERT_TRUE(file->commit());
        EXPECT_EQ(file->commit().error().code, ErrorCode::Misuse);
    }
    EXPECT_EQ(read(path), "first");
    {
        auto file = AtomicFile::create(path);
        ASSERT_TRUE(file);
        ASSERT_TRUE(FdSink(file->fd()).write(bytes_of("second")));
        EXPECT_EQ(files(), 2u);
    }
    EXPECT_EQ(read(path), "first");
    EXPECT_EQ(files(), 1u) << "what was not committed is gone";
}

TEST_F(AtomicFileTest, PartialFilesOfACrashAreRemoved) {
    std::ofstream(directory_ + "/a.skep.17.partial") << "x";
    std::ofstream(directory_ + "/a.skep") << "x";
    EXPECT_EQ(*remove_partial_files(directory_), 1u);
    EXPECT_EQ(files(), 1u);
    EXPECT_EQ(remove_partial_files(directory_ + "/none").error().code, ErrorCode::Io);
    EXPECT_EQ(AtomicFile::create(directory_ + "/none/x").error().code, ErrorCode::Io);
}

TEST_F(AtomicFileTest, SnapshotOnDisk) {
    auto file = AtomicFile::create(directory_ + "/guest.skep");
    ASSERT_TRUE(file);
    FdSink sink(file->fd());
    const auto guest = testing::sample_guest();
    ASSERT_TRUE(testing::write(guest, sink));
    const FdFile on_disk(file->fd());
    const auto snapshot = Snapshot::open(on_disk);
    ASSERT_TRUE(snapshot) << snapshot.error().describe();
    EXPECT_EQ(testing::compare(*snapshot, guest), "");
    ASSERT_TRUE(file->commit());
}

}  // namespace
}  // namespace skep::snapshot
