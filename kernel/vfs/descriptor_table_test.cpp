#include <kernel/ipc/pipe.hpp>
#include <kernel/vfs/descriptor_table.hpp>

#include <gtest/gtest.h>

namespace skep::kernel {
namespace {

struct Probe final : File {
    explicit Probe(int& closes) : File(FileKind::Device, kOpenRead), closes_(closes) {}
    void on_last_close() override { closes_++; }
    int& closes_;
};

class DescriptorTableTest : public ::testing::Test {
  protected:
    Ref<DescriptorTable> table_ = *make_ref<DescriptorTable>();
    int closes_ = 0;
    Ref<File> probe() { return Ref<File>(*make_ref<Probe>(closes_)); }
    static constexpr std::uint32_t kLimit = 64;
};

TEST_F(DescriptorTableTest, GivesTheLowestFreeNumber) {
    for (std::uint32_t i = 0; i < 40; i++)
        EXPECT_EQ(table_->add(probe(), false, kLimit).value(), i);
    EXPECT_TRUE(table_->close(7));
    EXPECT_TRUE(table_->close(3));
    EXPECT_EQ(table_->add(probe(), false, kLimit, 5).value(), 7u);
    EXPECT_EQ(table_->add(probe(), false, kLimit).value(), 3u);
    EXPECT_EQ(table_->add(probe(), false, kLimit).value(), 40u);
}

TEST_F(DescriptorTableTest, LimitAndBadNumbers) {
    for (std::uint32_t i = 0; i < kLimit; i++)
        ASSERT_TRUE(table_->add(probe(), false, kLimit));
    EXPECT_EQ(table_->add(probe(), false, kLimit).error(), Errno::MFile);
    EXPECT_EQ(table_->add(probe(), false, kLimit, kLimit).error(), Errno::Inval);
    EXPECT_EQ(table_->get(kLimit).error(), Errno::BadF);
    EXPECT_EQ(table_->close(~0u).error(), Errno::BadF);
    EXPECT_EQ(table_->replace(kLimit, probe(), false, kLimit).error(), Errno::BadF);
}

TEST_F(DescriptorTableTest, LastCloseComesOnceForAllDescriptors) {
    Ref<File> file = probe();
    const std::uint32_t first = *table_->add(file, false, kLimit);
    ASSERT_TRUE(table_->replace(20, file, true, kLimit));
    Ref<DescriptorTable> child = *table_->copy();
    EXPECT_TRUE(table_->close(first));
    EXPECT_TRUE(table_->close(20));
    EXPECT_EQ(closes_, 0);
    EXPECT_TRUE(child->close_on_exec(20).value());
    child->close_for_exec();
    EXPECT_EQ(child->get(20).error(), Errno::BadF);
    EXPECT_EQ(closes_, 0);
    child.reset();
    EXPECT_EQ(closes_, 1);
}

TEST_F(DescriptorTableTest, ReplaceClosesWhatWasThere) {
    ASSERT_TRUE(table_->replace(5, probe(), false, kLimit));
    ASSERT_TRUE(table_->replace(5, probe(), false, kLimit));
    EXPECT_EQ(closes_, 1);
    table_->close_range(0, ~0u);
    EXPECT_EQ(closes_, 2);
    EXPECT_EQ(table_->open_count(), 0u);
}

}  // namespace
}  // namespace skep::kernel
