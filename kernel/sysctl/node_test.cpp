#include <kernel/sysctl/node.hpp>

#include <gtest/gtest.h>

#include <string>

namespace skep::kernel::sysctl {
namespace {

Result<> seven(Numbers, Value& out) {
    return out.put(std::int32_t{7});
}
Result<> echo(Numbers rest, Value& out) {
    return out.put_bytes(rest.data(), rest.size_bytes());
}
std::string written;
Result<> write_text(std::span<const std::byte> fresh) {
    written.assign(reinterpret_cast<const char*>(fresh.data()), fresh.size());
    return {};
}

const Node kEmptyBranch[] = {{.number = 1, .name = "hollow"}};
constexpr std::span<const Node> kEmptyBranchNodes = kEmptyBranch;
const Node kKern[] = {
    {.number = 24, .name = "osreldate", .type = Type::Int, .format = "I", .read = seven},
    {.number = 10,
     .name = "hostname",
     .type = Type::String,
     .format = "A",
     .read = seven,
     .write = write_text},
    {.number = 12,
     .name = "pathname",
     .type = Type::String,
     .format = "A",
     .read = echo,
     .open_ended = true},
};
constexpr std::span<const Node> kKernNodes = kKern;

}  // namespace

// The tree under test takes the place of kernel/sysctl/tree.cpp.
const Node kTestRoot[] = {
    {.number = 1, .name = "kern", .children = &kKernNodes},
    {.number = 2, .name = "branch", .children = &kEmptyBranchNodes},
    {.number = 6, .name = "hw", .type = Type::Int, .format = "I", .read = seven},
};
const std::span<const Node> root = kTestRoot;

namespace {

std::vector<std::int32_t> numbers(const Result<Path>& path) {
    if (!path)
        return {};
    return {path->numbers, path->numbers + path->size};
}

TEST(Sysctl, NamesBecomeNumbers) {
    EXPECT_EQ(numbers(find_name(root, "kern.hostname")), (std::vector<std::int32_t>{1, 10}));
    EXPECT_EQ(numbers(find_name(root, "kern")), (std::vector<std::int32_t>{1}));
    EXPECT_EQ(find_name(root, "kern.nothing").error(), Errno::NoEnt);
    EXPECT_EQ(find_name(root, "kern.hostname.more").error(), Errno::NoEnt);
    EXPECT_EQ(find_name(root, "").error(), Errno::NoEnt);
}

TEST(Sysctl, LeavesComeInOrderOfNumbers) {
    std::vector<std::vector<std::int32_t>> seen;
    auto next = next_leaf(root, {});
    while (next) {
        seen.push_back(numbers(next));
        next = next_leaf(root, next->span());
    }
    EXPECT_EQ(next.error(), Errno::NoEnt);
    EXPECT_EQ(seen, (std::vector<std::vector<std::int32_t>>{{1, 10}, {1, 12}, {1, 24}, {6}}));
    const std::int32_t between[] = {1, 11};
    EXPECT_EQ(numbers(next_leaf(root, between)), (std::vector<std::int32_t>{1, 12}));
}

TEST(Sysctl, ReadsWritesAndRefuses) {
    Value value;
    const std::int32_t release[] = {1, 24};
    ASSERT_TRUE(read_or_write(release, value, false, {}));
    EXPECT_EQ(value.bytes().size(), 4u);
    EXPECT_EQ(read_or_write(release, value, true, {}).error(), Errno::Perm);
    const std::int32_t host[] = {1, 10};
    const std::string name = "bee";
    ASSERT_TRUE(read_or_write(host, value, true, std::as_bytes(std::span(name))));
    EXPECT_EQ(written, "bee");
    const std::int32_t missing[] = {1, 99};
    EXPECT_EQ(read_or_write(missing, value, false, {}).error(), Errno::NoEnt);
    const std::int32_t beyond[] = {1, 24, 5};
    EXPECT_EQ(read_or_write(beyond, value, false, {}).error(), Errno::NotDir);
    const std::int32_t branch[] = {2, 1};
    EXPECT_EQ(read_or_write(branch, value, false, {}).error(), Errno::IsDir);
    EXPECT_EQ(read_or_write(Numbers(release, 1), value, false, {}).error(), Errno::Inval);
}

TEST(Sysctl, OpenEndedNodesGetTheRest) {
    Value value;
    const std::int32_t path[] = {1, 12, -1};
    ASSERT_TRUE(read_or_write(path, value, false, {}));
    std::int32_t rest;
    ASSERT_EQ(value.bytes().size(), sizeof rest);
    std::memcpy(&rest, value.bytes().data(), sizeof rest);
    EXPECT_EQ(rest, -1);
}

TEST(Sysctl, TheTreeAnswersQuestions) {
    const std::string name = "kern.osreldate";
    Value value;
    const std::int32_t name_to_numbers[] = {0, 3};
    ASSERT_TRUE(read_or_write(name_to_numbers, value, true, std::as_bytes(std::span(name))));
    EXPECT_EQ(value.bytes().size(), 2 * sizeof(std::int32_t));
    Value format;
    const std::int32_t format_of[] = {0, 4, 1, 10};
    ASSERT_TRUE(read_or_write(format_of, format, false, {}));
    std::uint32_t kind;
    std::memcpy(&kind, format.bytes().data(), sizeof kind);
    EXPECT_EQ(kind & 0xf, static_cast<std::uint32_t>(Type::String));
    EXPECT_TRUE(kind & 0x4000'0000);  // CTLFLAG_WR
    Value shown;
    const std::int32_t name_of[] = {0, 1, 1, 10, 77};
    ASSERT_TRUE(read_or_write(name_of, shown, false, {}));
    EXPECT_STREQ(reinterpret_cast<const char*>(shown.bytes().data()), "kern.hostname.77");
}

}  // namespace
}  // namespace skep::kernel::sysctl
