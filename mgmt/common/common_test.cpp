#include "mgmt/common/files.hpp"
#include "mgmt/common/resource_name.hpp"
#include "mgmt/common/text.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include <unistd.h>

namespace skep::mgmt {
namespace {

TEST(ResourceName, AcceptsIdsAndNames) {
    EXPECT_EQ(parse_id("a", "f"), "a");
    EXPECT_EQ(parse_id("debian-12", "f"), "debian-12");
    EXPECT_EQ(parse_name("vms/a", "vms", "f"), "a");
    EXPECT_EQ(parse_name("a", "vms", "f"), "a");
}

TEST(ResourceName, RefusesWhatCouldLeaveItsFolder) {
    for (const char* id : {"", ".", "..", "a/b", "A", "1a", "a-", "-a", "a.b", "a b", "a\n"})
        EXPECT_FALSE(parse_id(id, "f")) << id;
    EXPECT_FALSE(parse_id(std::string(64, 'a'), "f"));
    EXPECT_TRUE(parse_id(std::string(63, 'a'), "f"));
    for (const char* name : {"images/a", "vms/", "/a", "vms/../a", "vms/a/b"})
        EXPECT_FALSE(parse_name(name, "vms", "f")) << name;
}

TEST(Text, FingerprintsCompareAsPeoplePasteThem) {
    EXPECT_EQ(normalized_fingerprint("0a:1B 2c"), "0A:1B:2C");
    EXPECT_EQ(normalized_fingerprint("0a1b2c"), "0A:1B:2C");
    EXPECT_EQ(sha256_hex("abc"),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Text, TokensHaveTheirShapeAndDiffer) {
    std::set<std::string> tokens;
    for (int i = 0; i < 100; ++i) {
        auto token = random_token();
        EXPECT_EQ(token.size(), 23u);
        EXPECT_EQ(token[5], '-');
        EXPECT_EQ(token.find_first_of("0O1I"), std::string::npos);
        tokens.insert(token);
    }
    EXPECT_EQ(tokens.size(), 100u);
}

class FilesTest : public testing::Test {
  protected:
    void SetUp() override {
        folder_ = testing::TempDir() + "files-" + std::to_string(::getpid());
        ASSERT_TRUE(make_directory(folder_ + "/sub/sub", 0700));
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }
    std::string folder_;
};

TEST_F(FilesTest, PartialFileIsWholeOrAbsent) {
    {
        auto file = PartialFile::create(folder_, "a", 0600);
        ASSERT_TRUE(file);
        ASSERT_TRUE(file->write("half"));
        EXPECT_FALSE(file_exists(folder_ + "/a"));
        EXPECT_EQ(list_directory(folder_)->size(), 2u);
    }
    EXPECT_EQ(*list_directory(folder_), std::vector<std::string>{"sub"});
    ASSERT_TRUE(write_file(folder_ + "/a", "whole", 0600));
    EXPECT_EQ(*read_file(folder_ + "/a"), "whole");
    EXPECT_EQ(*list_directory(folder_), (std::vector<std::string>{"a", "sub"}));
}

TEST_F(FilesTest, RemovesTrees) {
    ASSERT_TRUE(write_file(folder_ + "/sub/sub/a", "x", 0600));
    ASSERT_TRUE(remove_tree(folder_ + "/sub"));
    EXPECT_FALSE(file_exists(folder_ + "/sub"));
    EXPECT_TRUE(remove_tree(folder_ + "/sub"));
}

TEST_F(FilesTest, ErrorsNameTheFile) {
    auto missing = read_file(folder_ + "/missing");
    ASSERT_FALSE(missing);
    EXPECT_NE(missing.error().message.find("missing"), std::string::npos);
    EXPECT_EQ(missing.error().code, Code::FailedPrecondition);
}

}  // namespace
}  // namespace skep::mgmt
