#include <kernel/testing/host.hpp>
#include <kernel/vfs/operations.hpp>
#include <kernel/vfs/tmpfs/archive.hpp>
#include <kernel/vfs/vnode_file.hpp>

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace skep::kernel {
namespace {

class TmpfsTest : public ::testing::Test {
  protected:
    TmpfsTest() : frames_before_(kernel::testing::frames_in_use) {
        tmpfs_ = *Tmpfs::create();
        fs_ = *make_ref<FsContext>(tmpfs_->root(), tmpfs_->root());
    }
    ~TmpfsTest() override {
        fs_.reset();
        tmpfs_->on_unmount();
        tmpfs_.reset();
        EXPECT_EQ(kernel::testing::frames_in_use, frames_before_);
    }
    Actor actor() { return {*fs_, Caller{}}; }
    Place at(std::string_view path) { return {start_ = fs_->working_directory(), path}; }
    Ref<File> open(std::string_view path, bool create = false) {
        auto file =
            open_file(actor(), at(path),
                      {.flags = kOpenRead | kOpenWrite, .create = create, .permissions = 0644});
        EXPECT_TRUE(file.has_value()) << path;
        return file ? *file : Ref<File>();
    }
    static std::size_t write(File& file, std::string_view text, std::uint64_t offset) {
        const IoSegment segment{reinterpret_cast<UserAddr>(text.data()), text.size()};
        Uio uio = Uio::kernel({&segment, 1});
        return file.write(uio, &offset).value_or(~0ull);
    }
    static std::string read(File& file, std::uint64_t offset, std::size_t size) {
        std::string text(size, '?');
        const IoSegment segment{reinterpret_cast<UserAddr>(text.data()), text.size()};
        Uio uio = Uio::kernel({&segment, 1});
        text.resize(file.read(uio, &offset).value_or(0));
        return text;
    }
    static std::uint64_t size_of(File& file) {
        FileStat stat;
        EXPECT_TRUE(file.stat(stat));
        return stat.size;
    }
    std::size_t frames_before_;
    Ref<Tmpfs> tmpfs_;
    Ref<FsContext> fs_;
    Ref<Vnode> start_;
};

TEST_F(TmpfsTest, WritesReadBackAcrossPages) {
    auto file = open("a", true);
    const std::string text(3 * kPageSize, 'x');
    EXPECT_EQ(write(*file, text, kPageSize - 10), text.size());
    EXPECT_EQ(size_of(*file), 4 * kPageSize - 10);
    EXPECT_EQ(read(*file, 0, kPageSize - 10), std::string(kPageSize - 10, '\0'));
    EXPECT_EQ(read(*file, kPageSize - 10, 2 * text.size()), text);
}

TEST_F(TmpfsTest, SparseFileUsesNoMemoryForHoles) {
    auto file = open("sparse", true);
    const std::size_t before = kernel::testing::frames_in_use;
    EXPECT_EQ(write(*file, "end", 1ull << 40), 3u);
    EXPECT_EQ(kernel::testing::frames_in_use, before + 1);
    EXPECT_EQ(file->seek(0, kSeekData).value(), 1ull << 40);
    EXPECT_EQ(file->seek(1ull << 40, kSeekHole).value(), (1ull << 40) + 3);
    EXPECT_EQ(read(*file, (1ull << 40) - 1, 10), std::string("\0end", 4));
    EXPECT_TRUE(file->truncate(0));
    EXPECT_EQ(kernel::testing::frames_in_use, before);
}

TEST_F(TmpfsTest, TruncatedTailReadsAsZerosAfterGrowth) {
    auto file = open("t", true);
    write(*file, std::string(kPageSize, 'x'), 0);
    EXPECT_TRUE(file->truncate(100));
    EXPECT_TRUE(file->truncate(kPageSize));
    EXPECT_TRUE(read(*file, 0, kPageSize) ==
                std::string(100, 'x') + std::string(kPageSize - 100, '\0'));
}

TEST_F(TmpfsTest, UnlinkedFileLivesWhileOpen) {
    auto file = open("gone", true);
    write(*file, "still here", 0);
    EXPECT_TRUE(remove_name(actor(), at("gone")));
    EXPECT_EQ(read(*file, 0, 100), "still here");
    EXPECT_EQ(find_vnode(actor(), at("gone"), true).error(), Errno::NoEnt);
    FileStat stat;
    ASSERT_TRUE(file->stat(stat));
    EXPECT_EQ(stat.links, 0u);
}

TEST_F(TmpfsTest, HardLinksShareTheFile) {
    auto file = open("one", true);
    ASSERT_TRUE(make_link(actor(), at("one"), false, Place{fs_->root(), "two"}));
    write(*open("two"), "shared", 0);
    EXPECT_EQ(read(*file, 0, 10), "shared");
    FileStat stat;
    ASSERT_TRUE(file->stat(stat));
    EXPECT_EQ(stat.links, 2u);
    EXPECT_EQ(make_link(actor(), at("one"), false, Place{fs_->root(), "two"}).error(),
              Errno::Exist);
}

TEST_F(TmpfsTest, PagesOutliveTruncationWhileMapped) {
    auto file = open("m", true);
    write(*file, "mapped", 0);
    Ref<VmObject> object = *file->vnode()->object();
    auto page = object->page(0, false);
    ASSERT_TRUE(page);
    ASSERT_TRUE(file->truncate(0));
    EXPECT_EQ(std::string_view(static_cast<char*>(direct_map(page->frame)), 6), "mapped");
    EXPECT_EQ(object->page(0, false).error(), Errno::Fault);
    release_frame(page->frame);
}

TEST_F(TmpfsTest, FullMemoryIsNoSpace) {
    auto file = open("full", true);
    kernel::testing::frame_limit = kernel::testing::frames_in_use + 400;
    const std::string chunk(1 << 20, 'x');
    std::uint64_t offset = 0;
    Errno error{};
    for (int i = 0; i < 4; i++) {
        const IoSegment segment{reinterpret_cast<UserAddr>(chunk.data()), chunk.size()};
        Uio uio = Uio::kernel({&segment, 1});
        auto written = file->write(uio, &offset);
        if (!written) {
            error = written.error();
            break;
        }
        offset += *written;
    }
    EXPECT_EQ(error, Errno::NoSpc);
    EXPECT_GT(offset, 0u);
    kernel::testing::frame_limit = kernel::testing::kHostFrames;
}

TEST_F(TmpfsTest, PunchHoleZeroesTheRange) {
    auto file = open("h", true);
    write(*file, std::string(4 * kPageSize, 'x'), 0);
    const std::size_t before = kernel::testing::frames_in_use;
    ASSERT_TRUE(file->vnode()->punch_hole(100, 2 * kPageSize));
    EXPECT_EQ(kernel::testing::frames_in_use, before - 1);
    const std::string all = read(*file, 0, 5 * kPageSize);
    EXPECT_EQ(all, std::string(100, 'x') + std::string(2 * kPageSize, '\0') +
                       std::string(2 * kPageSize - 100, 'x'));
}

// Random operations beside a model in memory.
TEST_F(TmpfsTest, AgreesWithAModel) {
    std::mt19937 random(7);
    auto file = open("model", true);
    std::string model;
    auto pick = [&](std::uint64_t bound) { return random() % bound; };
    for (int i = 0; i < 3000; i++) {
        const std::uint64_t offset = pick(40000);
        switch (pick(5)) {
            case 0:
            case 1: {
                const std::string text(1 + pick(9000), static_cast<char>('a' + pick(26)));
                ASSERT_EQ(write(*file, text, offset), text.size());
                if (model.size() < offset + text.size())
                    model.resize(offset + text.size());
                model.replace(offset, text.size(), text);
                break;
            }
            case 2:
                ASSERT_TRUE(file->truncate(offset));
                model.resize(offset);
                break;
            case 3: {
                const std::uint64_t size = 1 + pick(20000);
                ASSERT_TRUE(file->vnode()->punch_hole(offset, size));
                for (std::uint64_t j = offset;
                     j < std::min<std::uint64_t>(offset + size, model.size()); j++)
                    model[j] = 0;
                break;
            }
            default: {
                const std::size_t size = 1 + pick(20000);
                ASSERT_EQ(read(*file, offset, size),
                          offset < model.size() ? model.substr(offset, size) : "")
                    << i;
            }
        }
        ASSERT_EQ(size_of(*file), model.size());
    }
}

TEST_F(TmpfsTest, RenameRules) {
    auto mkdir = [&](std::string_view path) { return make_directory(actor(), at(path), 0755); };
    auto rename = [&](std::string_view from, std::string_view to,
                      RenameHow how = RenameHow::Replace) {
        return rename_path(actor(), at(from), Place{fs_->root(), to}, how);
    };
    ASSERT_TRUE(mkdir("d"));
    ASSERT_TRUE(mkdir("d/e"));
    ASSERT_TRUE(mkdir("f"));
    open("x", true);
    open("y", true);
    EXPECT_EQ(rename("d", "d/e/g").error(), Errno::Inval);
    EXPECT_EQ(rename("f", "d").error(), Errno::NotEmpty);
    EXPECT_EQ(rename("x", "d").error(), Errno::IsDir);
    EXPECT_EQ(rename("d", "x").error(), Errno::NotDir);
    EXPECT_EQ(rename("x", "y", RenameHow::NoReplace).error(), Errno::Exist);
    EXPECT_TRUE(rename("x", "y"));
    EXPECT_EQ(find_vnode(actor(), at("x"), true).error(), Errno::NoEnt);
    EXPECT_TRUE(rename("d/e", "e"));
    Ref<Vnode> e = *find_vnode(actor(), at("e"), true);
    EXPECT_EQ(e->parent().value(), tmpfs_->root());
    EXPECT_TRUE(rename("y", "e", RenameHow::Exchange));
    EXPECT_TRUE((*find_vnode(actor(), at("y"), true))->is_directory());
    EXPECT_TRUE(rename("f", "y"));
    EXPECT_EQ(remove_directory(actor(), at("e")).error(), Errno::NotDir);
    EXPECT_TRUE(remove_directory(actor(), at("y")));
    EXPECT_EQ(remove_directory(actor(), at("/")).error(), Errno::Busy);
}

struct Names final : DirectorySink {
    std::vector<std::string> seen;
    std::size_t room = ~0ull;
    bool add(const DirectoryEntry& entry) override {
        if (room == 0)
            return false;
        room--;
        seen.emplace_back(entry.name);
        return true;
    }
};

TEST_F(TmpfsTest, ListsEveryNameOnceWhileOthersComeAndGo) {
    ASSERT_TRUE(make_directory(actor(), at("dir"), 0755));
    for (int i = 0; i < 500; i++)
        open("dir/file" + std::to_string(i), true);
    auto directory = *open_file(actor(), at("dir"), {.flags = kOpenRead});
    std::multiset<std::string> seen;
    for (int round = 0;; round++) {
        Names names;
        names.room = 7;
        ASSERT_TRUE(directory->read_directory(names));
        if (names.seen.empty())
            break;
        seen.insert(names.seen.begin(), names.seen.end());
        if (round < 20) {
            ASSERT_TRUE(remove_name(actor(), at("dir/file" + std::to_string(round))));
        }
    }
    EXPECT_EQ(seen.count("."), 1u);
    EXPECT_EQ(seen.count(".."), 1u);
    for (int i = 20; i < 500; i++)
        EXPECT_EQ(seen.count("file" + std::to_string(i)), 1u) << i;
}

// A newc archive, made here.
class Archive {
  public:
    void add(const std::string& name, std::uint32_t mode, const std::string& content,
             bool align = false, std::uint32_t inode = 0, std::uint32_t links = 1) {
        std::size_t name_size = name.size() + 1;
        if (align)
            while ((bytes_.size() + 110 + name_size) % kPageSize)
                name_size++;
        char header[111];
        std::snprintf(header, sizeof header,
                      "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", inode, mode, 0,
                      0, links, 1000, static_cast<unsigned>(content.size()), 0, 0, 0, 0,
                      static_cast<unsigned>(name_size), 0);
        bytes_ += header;
        bytes_ += name + std::string(name_size - name.size(), '\0');
        pad();
        bytes_ += content;
        pad();
    }
    std::string finish() {
        add("TRAILER!!!", 0, "");
        return bytes_;
    }

  private:
    void pad() { bytes_.resize((bytes_.size() + 3) & ~std::size_t{3}); }
    std::string bytes_;
};

TEST_F(TmpfsTest, ArchiveContentIsUsedInPlaceAndOthersAreCopied) {
    Archive archive;
    const std::string content = std::string(kPageSize, 'p') + "tail";
    archive.add("bin", 0040755, "");
    archive.add("bin/aligned", 0100755, content, true);
    archive.add("bin/unaligned", 0100644, content);
    archive.add("bin/sh", 0120777, "aligned");
    archive.add("made/on/the/way", 0100600, "w");
    archive.add("l1", 0100600, "", false, 77, 2);
    archive.add("l2", 0100600, "linked", false, 77, 2);
    const std::string bytes = archive.finish();
    // The archive lies in "physical" memory as the boot loader leaves it.
    unsigned order = 0;
    while (kPageSize << order < bytes.size())
        order++;
    const PhysAddr memory = *allocate_frames(order);
    for (std::size_t i = 1; i < std::size_t{1} << order; i++)
        retain_frame(memory + i * kPageSize);  // only a block's first frame is born with a use
    auto* base = static_cast<std::byte*>(direct_map(memory));
    std::memcpy(base, bytes.data(), bytes.size());
    ASSERT_TRUE(unpack_archive(*tmpfs_, {base, bytes.size()}));

    auto aligned = open("bin/sh"), unaligned = open("/bin/unaligned");
    EXPECT_EQ(read(*aligned, 0, 10000), content);
    EXPECT_EQ(read(*unaligned, 0, 10000), content);
    auto page = *(*aligned->vnode()->object())->page(0, false);
    EXPECT_GE(direct_map(page.frame), static_cast<void*>(base));
    EXPECT_LT(direct_map(page.frame), static_cast<void*>(base + bytes.size()));
    release_frame(page.frame);
    // The tail of the last page must not show the next header.
    auto tail = *(*aligned->vnode()->object())->page(1, false);
    EXPECT_EQ(static_cast<char*>(direct_map(tail.frame))[4], 0);
    release_frame(tail.frame);
    EXPECT_EQ(read(*open("l1"), 0, 10), "linked");
    EXPECT_EQ(read(*open("made/on/the/way"), 0, 10), "w");
    write(*aligned, "changed", 10);
    EXPECT_EQ(read(*aligned, 8, 11), "ppchangedpp");
    EXPECT_TRUE(aligned->truncate(12));
    EXPECT_TRUE(aligned->truncate(2 * kPageSize));
    EXPECT_EQ(read(*aligned, 9, 5), std::string("pch\0\0", 5));
    FileStat stat;
    ASSERT_TRUE(unaligned->stat(stat));
    EXPECT_EQ(stat.modified, 1000'000'000'000);
    EXPECT_EQ(stat.mode, 0100644u);
    aligned.reset(), unaligned.reset();
    tmpfs_->on_unmount();
    fs_.reset();
    tmpfs_ = *Tmpfs::create();
    fs_ = *make_ref<FsContext>(tmpfs_->root(), tmpfs_->root());
    free_frames(memory, order);
}

TEST_F(TmpfsTest, DamagedArchivesAreRefused) {
    Archive archive;
    archive.add("some/file", 0100644, "content");
    archive.add("other", 0120777, "some/file");
    const std::string bytes = archive.finish();
    auto judge = [](const std::string& text) {
        auto tmpfs = *Tmpfs::create();
        auto result = unpack_archive(*tmpfs, std::as_bytes(std::span(text)));
        tmpfs->on_unmount();
        return result.has_value();
    };
    EXPECT_TRUE(judge(bytes));
    for (std::size_t size = 0; size + 16 < bytes.size(); size += 5)
        EXPECT_FALSE(judge(bytes.substr(0, size))) << size;
    std::mt19937 random(3);
    for (int i = 0; i < 500; i++) {  // whatever it says: no crash
        std::string damaged = bytes;
        damaged[random() % damaged.size()] = static_cast<char>(random());
        judge(damaged);
    }
}

}  // namespace
}  // namespace skep::kernel
