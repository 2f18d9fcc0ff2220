#include "mgmt/cli/config.hpp"
#include "mgmt/cli/output.hpp"
#include "mgmt/cli/progress.hpp"
#include "mgmt/cli/size_text.hpp"
#include "mgmt/cli/vm/disk_option.hpp"
#include "mgmt/cli/vm/until.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include <sys/stat.h>
#include <unistd.h>

namespace skep::mgmt::cli {
namespace {

TEST(SizeText, ReadsWhatPeopleWrite) {
    EXPECT_EQ(parse_size("4096"), 4096u);
    EXPECT_EQ(parse_size("64M"), 64u << 20);
    EXPECT_EQ(parse_size("64MiB"), 64u << 20);
    EXPECT_EQ(parse_size("2g"), 2ull << 30);
    EXPECT_EQ(parse_size("100B"), 100u);
    for (const char* wrong : {"", "M", "1X", "1.5G", "-1", "1MM", "99999999999T"})
        EXPECT_FALSE(parse_size(wrong)) << wrong;
}

TEST(SizeText, PrintsThem) {
    EXPECT_EQ(size_text(0), "0 B");
    EXPECT_EQ(size_text(1023), "1023 B");
    EXPECT_EQ(size_text(1536), "1.5 KiB");
    EXPECT_EQ(size_text((64u << 20) - 1), "64.0 MiB");
    EXPECT_EQ(size_text((1ull << 30) - 1), "1.0 GiB");
}

TEST(DiskOption, ReadsSizesAndImages) {
    auto disk = parse_disk("data=64M");
    ASSERT_TRUE(disk);
    EXPECT_EQ(disk->name(), "data");
    EXPECT_EQ(disk->size_bytes(), 64u << 20);
    disk = parse_disk("root=image:debian,size=1G,read-only");
    ASSERT_TRUE(disk);
    EXPECT_EQ(disk->image(), "debian");
    EXPECT_EQ(disk->size_bytes(), 1u << 30);
    EXPECT_TRUE(disk->read_only());
    for (const char* wrong :
         {"", "a", "=1M", "a=", "a=many", "a=image:", "a=1M,", "a=read-only", "a=0"})
        EXPECT_FALSE(parse_disk(wrong)) << wrong;
}

TEST(Until, FindsATextAcrossPieces) {
    Until until("login:");
    EXPECT_EQ(until.feed("debian lo"), std::string::npos);
    EXPECT_EQ(until.feed("gi"), std::string::npos);
    EXPECT_EQ(until.feed("n: and more"), 2u);
    Until never("");
    EXPECT_EQ(never.feed("anything"), std::string::npos);
    Until whole("x");
    EXPECT_EQ(whole.feed("aax"), 3u);
}

TEST(Table, AlignsColumns) {
    EXPECT_EQ(table_text({{"NAME", "STATE"}, {"a", "running"}, {"longer", ""}}),
              "NAME    STATE\na       running\nlonger\n");
    EXPECT_EQ(details_text({{"name", "vms/a"}, {"detail", ""}, {"memory", "1 B"}}),
              "name:    vms/a\nmemory:  1 B\n");
}

TEST(Table, KeepsControlCharactersFromTheTerminal) {
    EXPECT_EQ(table_text({{"a\x1b[2Jb"}}), "a?[2Jb\n");
}

TEST(Bar, FitsItsTerminal) {
    for (unsigned columns : {20u, 60u, 80u, 200u}) {
        auto bar = Progress::bar("saving vms/a", 32 << 20, 64 << 20, 1 << 20, columns);
        EXPECT_NE(bar.find("50%"), std::string::npos) << bar;
        if (columns >= 80) {
            EXPECT_LT(bar.size(), columns) << bar;
        }
    }
    EXPECT_NE(Progress::bar("x", 70, 64, 1, 80).find("100%"), std::string::npos);
    EXPECT_NE(Progress::bar("x", 1 << 20, 0, 1, 80).find("1.0 MiB"), std::string::npos);
}

TEST(ConfigFile, KeepsServersToItself) {
    auto folder = testing::TempDir() + "config-" + std::to_string(::getpid());
    auto path = folder + "/skep/config.json";
    Config config;
    Server server;
    server.set_address("host:8443");
    server.set_certificate("-----BEGIN\nCERTIFICATE\n");
    server.set_secret("secret");
    put_server(config, server);
    server.set_secret("newer");
    put_server(config, server);
    ASSERT_TRUE(save_config(path, config));
    struct stat info {};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u);
    auto loaded = load_config(path);
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded->servers_size(), 1);
    auto found = find_server(*loaded, "host");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->secret(), "newer");
    EXPECT_EQ(found->certificate(), server.certificate());
    EXPECT_EQ(find_server(*loaded, "other").error().code, Code::Unauthenticated);
    std::filesystem::remove_all(folder);
}

TEST(ConfigFile, MissingIsEmptyAndDamageIsNamed) {
    auto path = testing::TempDir() + "config-damaged-" + std::to_string(::getpid());
    EXPECT_EQ(load_config(path)->servers_size(), 0);
    FILE* file = std::fopen(path.c_str(), "w");
    std::fputs("{", file);
    std::fclose(file);
    auto damaged = load_config(path);
    ASSERT_FALSE(damaged);
    EXPECT_NE(damaged.error().message.find(path), std::string::npos);
    ::unlink(path.c_str());
}

TEST(Address, GetsAPort) {
    EXPECT_EQ(with_port("host"), "host:8443");
    EXPECT_EQ(with_port("host:1"), "host:1");
    EXPECT_EQ(with_port("[::1]"), "[::1]:8443");
    EXPECT_EQ(with_port("[::1]:1"), "[::1]:1");
}

}  // namespace
}  // namespace skep::mgmt::cli
