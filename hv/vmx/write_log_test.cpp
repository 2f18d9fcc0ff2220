#include "hv/vmx/write_log.hpp"

#include <gtest/gtest.h>

#include <array>

namespace skep::hv::vmx {
namespace {

TEST(WriteLog, GivesWhatTheCpuHasAddedFromTheEndDown) {
    std::array<u64, WriteLog::kEntries> page{};
    WriteLog log;
    EXPECT_FALSE(log.take()) << "a CPU without one";
    log.open(page.data());
    log.restart();
    for (int round = 0; round < 3; ++round) {
        EXPECT_FALSE(log.take());
        for (u64 i = 0; i < WriteLog::kEntries; ++i) {
            page[WriteLog::kEntries - 1 - i] = i * kPageSize;  // page 0 is one
            if (i % 3 != 0)
                continue;
            for (u64 left = i == 0 ? 1 : 3; left != 0; --left)
                EXPECT_EQ(log.take()->value, (i - left + 1) * kPageSize);
            EXPECT_FALSE(log.take());
        }
        EXPECT_EQ(log.take()->value, (WriteLog::kEntries - 1) * kPageSize);
        EXPECT_FALSE(log.take()) << "full";
        log.restart();
    }
}

}  // namespace
}  // namespace skep::hv::vmx
