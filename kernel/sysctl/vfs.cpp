// vfs.*: sys/mount.h.
#include <kernel/sysctl/values.hpp>

#include <kernel/vfs/file_system.hpp>

namespace skep::kernel::sysctl {

namespace {

// vfc_flags
constexpr std::int32_t kStatic = 0x10000, kSynthetic = 0x80000;

struct FileSystemKind {
    std::string_view name;     // as statfs(2) tells it
    std::string_view as_type;  // FileSystem::type()
    std::int32_t flags;
};
constexpr FileSystemKind kKinds[] = {
    {"tmpfs", "tmpfs", kStatic},
    {"devfs", "devtmpfs", kStatic | kSynthetic},
    {"procfs", "proc", kStatic | kSynthetic},
    {"ext2fs", "ext4", kStatic},
};

std::int32_t count_mounted(std::string_view type) {
    std::int32_t count = 0;
    for (Ref<FileSystem> each = mounts().next(nullptr); each; each = mounts().next(each.get()))
        count += each->type() == type;
    return count;
}

// For getvfsbyname(3): df, mount and tar ask it.
Result<> read_kinds(Numbers, Value& out) {
    struct Shown {  // struct xvfsconf
        std::uint64_t operations;
        char name[16];
        std::int32_t number, mounted, flags, padding;
        std::uint64_t next;
    };
    static_assert(sizeof(Shown) == 48);
    std::int32_t number = 1;
    for (const FileSystemKind& kind : kKinds) {
        Shown shown{};
        shown.number = number++;
        shown.mounted = count_mounted(kind.as_type);
        shown.flags = kind.flags;
        kind.name.copy(shown.name, sizeof shown.name - 1);
        SKEP_TRY(out.put(shown));
    }
    return {};
}

constexpr Node kVfs[] = {
    int_node<0>(256, "usermount"),
    {.number = 257,
     .name = "conflist",
     .type = Type::Opaque,
     .format = "S,xvfsconf",
     .read = read_kinds},
    long_node<0>(258, "bufspace"),
};

}  // namespace

const std::span<const Node> vfs_nodes = kVfs;

}  // namespace skep::kernel::sysctl
