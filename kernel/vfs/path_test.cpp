#include <kernel/vfs/operations.hpp>
#include <kernel/vfs/tmpfs/tmpfs.hpp>

#include <gtest/gtest.h>

#include <string>

namespace skep::kernel {
namespace {

class PathTest : public ::testing::Test {
  protected:
    PathTest() {
        tmpfs_ = *Tmpfs::create();
        fs_ = *make_ref<FsContext>(tmpfs_->root(), tmpfs_->root());
        directory("/a");
        directory("/a/b");
        file("/a/b/c");
        link("/l", "a/b");
        link("/a/up", "../a/b/c");
        link("/abs", "/a/b/c");
        link("/loop1", "loop2");
        link("/loop2", "loop1");
        link("/dangling", "nothing/here");
    }
    ~PathTest() override {
        fs_.reset();
        tmpfs_->on_unmount();
    }
    Actor actor() { return {*fs_, caller_}; }
    void directory(std::string_view path) {
        ASSERT_TRUE(make_directory(actor(), {fs_->root(), path}, 0755));
    }
    void link(std::string_view path, std::string_view target) {
        ASSERT_TRUE(make_symlink(actor(), target, {fs_->root(), path}));
    }
    void file(std::string_view path) {
        ASSERT_TRUE(open_file(actor(), {fs_->root(), path},
                              {.flags = kOpenWrite, .create = true, .permissions = 0644}));
    }
    // "d3", "f4": kind and inode; else the error's number.
    std::string find(std::string_view path, WalkHow how = {}) {
        Walked walked;
        auto result = walk_path(*fs_, caller_, fs_->working_directory(), path, how, walked);
        if (!result)
            return "E" + std::to_string(static_cast<int>(result.error()));
        if (!walked.vnode)
            return "absent:" + std::string(walked.name());
        FileStat stat;
        EXPECT_TRUE(walked.vnode->stat(stat));
        const char* kinds = "fdlcbps";
        return kinds[static_cast<int>(walked.vnode->type())] + std::to_string(stat.inode);
    }
    static std::string error(Errno e) { return "E" + std::to_string(static_cast<int>(e)); }
    Ref<Tmpfs> tmpfs_;
    Ref<FsContext> fs_;
    Caller caller_;
};

TEST_F(PathTest, Walks) {
    EXPECT_EQ(find("/"), find("."));
    EXPECT_EQ(find("//a///b/./c"), find("/a/b/c"));
    EXPECT_EQ(find("/a/../a/b/../b/c"), find("/a/b/c"));
    EXPECT_EQ(find("../../.."), find("/"));
    EXPECT_EQ(find("l/c"), find("/a/b/c"));
    EXPECT_EQ(find("a/up"), find("/a/b/c"));
    EXPECT_EQ(find("abs"), find("/a/b/c"));
    EXPECT_EQ(find("l/.."), find("/a"));
    EXPECT_EQ(find("l/"), find("/a/b"));
    EXPECT_EQ(find("a/b/"), find("a/b"));
}

TEST_F(PathTest, Errors) {
    EXPECT_EQ(find(""), error(Errno::NoEnt));
    EXPECT_EQ(find("x"), error(Errno::NoEnt));
    EXPECT_EQ(find("x/y"), error(Errno::NoEnt));
    EXPECT_EQ(find("a/b/c/d"), error(Errno::NotDir));
    EXPECT_EQ(find("a/b/c/"), error(Errno::NotDir));
    EXPECT_EQ(find("a/b/c/."), error(Errno::NotDir));
    EXPECT_EQ(find("a/b/c/.."), error(Errno::NotDir));
    EXPECT_EQ(find("loop1"), error(Errno::Loop));
    EXPECT_EQ(find("dangling"), error(Errno::NoEnt));
    EXPECT_EQ(find(std::string(256, 'n')), error(Errno::NameTooLong));
    EXPECT_EQ(find(std::string(255, 'n')), error(Errno::NoEnt));
}

TEST_F(PathTest, LastComponent) {
    EXPECT_EQ(find("l", {.follow = false})[0], 'l');
    EXPECT_EQ(find("l/", {.follow = false}), find("/a/b"));
    EXPECT_EQ(find("new", {.may_be_absent = true}), "absent:new");
    EXPECT_EQ(find("a/new", {.may_be_absent = true}), "absent:new");
    EXPECT_EQ(find("no/new", {.may_be_absent = true}), error(Errno::NoEnt));
    // Creating through a dangling link makes the target, in the target's directory.
    link("/to", "a/made");
    EXPECT_EQ(find("/to", {.may_be_absent = true}), "absent:made");
    EXPECT_EQ(find("abs", {.no_symlinks = true}), error(Errno::Loop));
    EXPECT_EQ(find("../a", {.beneath = true}), error(Errno::XDev));
    EXPECT_EQ(find("/a", {.beneath = true}), error(Errno::XDev));
}

TEST_F(PathTest, PermissionsOnTheWay) {
    ASSERT_TRUE(change_mode(actor(), **find_vnode(actor(), {fs_->root(), "/a"}, true), 0700));
    caller_.user = 1000;
    EXPECT_EQ(find("a"), "d2");
    EXPECT_EQ(find("a/b"), error(Errno::Acces));
    EXPECT_EQ(
        open_file(actor(), {fs_->root(), "/n"}, {.flags = kOpenWrite, .create = true}).error(),
        Errno::Acces);
    EXPECT_EQ(remove_name(actor(), {fs_->root(), "/l"}).error(), Errno::Acces);
    EXPECT_EQ(change_mode(actor(), **find_vnode(actor(), {fs_->root(), "/a"}, true), 0777).error(),
              Errno::Perm);
}

TEST_F(PathTest, StickyDirectoryProtectsEntries) {
    Ref<Vnode> root = fs_->root();
    ASSERT_TRUE(change_mode(actor(), *root, 01777));
    caller_.user = 1000;
    EXPECT_EQ(remove_name(actor(), {root, "/l"}).error(), Errno::Perm);
    ASSERT_TRUE(open_file(actor(), {root, "/mine"}, {.flags = kOpenWrite, .create = true}));
    EXPECT_TRUE(remove_name(actor(), {root, "/mine"}));
}

TEST_F(PathTest, Mounts) {
    Ref<Tmpfs> other = *Tmpfs::create();
    static bool root_mounted = mounts().mount(tmpfs_, {}, "root").has_value();
    ASSERT_TRUE(root_mounted);
    Ref<Vnode> point = *find_vnode(actor(), {fs_->root(), "/a/b"}, true);
    ASSERT_TRUE(mounts().mount(other, point, "other"));
    EXPECT_EQ(mounts().mount(other, point, "twice").error(), Errno::Busy);
    file("/a/b/inside");
    EXPECT_EQ(find("/a/b/c"), error(Errno::NoEnt));
    EXPECT_EQ(find("/a/b/.."), find("/a"));
    EXPECT_EQ(find("/a/b/inside/../.."), error(Errno::NotDir));
    EXPECT_EQ(find("/a/b", {.no_mounts = true}), error(Errno::XDev));
    EXPECT_EQ(remove_directory(actor(), {fs_->root(), "/a/b"}).error(), Errno::Busy);
    EXPECT_EQ(rename_path(actor(), {fs_->root(), "/a/b/inside"}, {fs_->root(), "/outside"},
                          RenameHow::Replace)
                  .error(),
              Errno::XDev);
    directory("/a/b/deep");
    EXPECT_EQ(
        (*path_of_directory(*fs_, *find_vnode(actor(), {fs_->root(), "/a/b/deep"}, true))).view(),
        "/a/b/deep");
    ASSERT_TRUE(mounts().unmount(**find_vnode(actor(), {fs_->root(), "/a/b"}, true)));
    EXPECT_EQ(find("/a/b/c")[0], 'f');
}

TEST_F(PathTest, NamesOfDirectories) {
    auto name = [&](std::string_view path) {
        auto text = path_of_directory(*fs_, *find_vnode(actor(), {fs_->root(), path}, true));
        return text ? std::string(text->view()) : error(text.error());
    };
    EXPECT_EQ(name("/"), "/");
    EXPECT_EQ(name("l"), "/a/b");
    ASSERT_TRUE(rename_path(actor(), {fs_->root(), "/a"}, {fs_->root(), "/z"}, RenameHow::Replace));
    EXPECT_EQ(name("/z/b"), "/z/b");
    Ref<Vnode> removed = *find_vnode(actor(), {fs_->root(), "/z/b"}, true);
    ASSERT_TRUE(remove_name(actor(), {fs_->root(), "/z/b/c"}));
    ASSERT_TRUE(remove_directory(actor(), {fs_->root(), "/z/b"}));
    EXPECT_EQ(path_of_directory(*fs_, removed).error(), Errno::NoEnt);
    EXPECT_EQ(open_file(actor(), {removed, "new"}, {.flags = kOpenWrite, .create = true}).error(),
              Errno::NoEnt);
}

}  // namespace
}  // namespace skep::kernel
