// What any release wrote must restore for ever.
#include <snapshot/reader.hpp>
#include <snapshot/testing/sample_guest.hpp>

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace skep::snapshot {
namespace {

TEST(Golden, EveryReleasesFileRestores) {
    int files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(SKEP_GOLDEN_DIR)) {
        if (entry.path().extension() != ".skep")
            continue;
        ++files;
        SCOPED_TRACE(entry.path());
        std::ifstream stream(entry.path(), std::ios::binary);
        const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
        const MemoryFile file(std::as_bytes(std::span(bytes)));
        const auto snapshot = Snapshot::open(file);
        ASSERT_TRUE(snapshot) << snapshot.error().describe();
        EXPECT_EQ(testing::compare(*snapshot, testing::sample_guest()), "");
    }
    EXPECT_GE(files, 1);
}

}  // namespace
}  // namespace skep::snapshot
