// Files, with the calls from before FreeBSD 12 beside those since: sys/stat.h, sys/dirent.h,
// sys/mount.h.
#include "system.hpp"

namespace bsd {
namespace {

struct Stat {
    std::uint64_t device, inode, links;
    std::uint16_t mode, padding;
    std::uint32_t user, group, padding2;
    std::uint64_t device_number;
    Time accessed, modified, changed, created;
    std::int64_t size, blocks;
    std::int32_t block_size;
    std::uint32_t flags;
    std::uint64_t generation, spare[10];
};
static_assert(sizeof(Stat) == 224);
struct Stat11 {
    std::uint32_t device, inode;
    std::uint16_t mode, links;
    std::uint32_t user, group, device_number;
    Time accessed, modified, changed;
    std::int64_t size, blocks;
    std::int32_t block_size;
    std::uint32_t flags, generation;
    std::int32_t spare;
    Time created;
};
static_assert(sizeof(Stat11) == 120);

constexpr const char* kFolder = "/tmp/skep-dynamic";
constexpr const char* kFile = "/tmp/skep-dynamic/a";
constexpr int kHere = -100;  // AT_FDCWD
constexpr int kReadWrite = 2, kCreate = 0x200, kExclusive = 0x800, kDirectory = 0x20000,
              kCloseOnExec = 0x100000;

bool make_files() {
    EXPECT_CALL(sys(136, kFolder, 0755), 0);
    const long file = sys(5, kFile, kReadWrite | kCreate | kExclusive, 0640);
    EXPECT(file >= 0);
    EXPECT_CALL(sys(4, file, "hello\n", 6), 6);
    EXPECT_CALL(sys(6, file), 0);
    EXPECT_CALL(sys(5, kFile, kReadWrite | kCreate | kExclusive, 0640), -kEexist);
    EXPECT_CALL(sys(57, "a", "/tmp/skep-dynamic/link"), 0);
    return true;
}

bool both_stats() {
    Stat now{};
    Stat11 then{};
    EXPECT_CALL(sys(552, kHere, kFile, &now, 0), 0);
    EXPECT_CALL(sys(188, kFile, &then), 0);
    EXPECT(now.size == 6 && then.size == 6 && now.mode == 0100640 && then.mode == now.mode);
    EXPECT(static_cast<std::uint32_t>(now.inode) == then.inode && now.links == 1 &&
           then.links == 1);
    EXPECT(now.modified.seconds == then.modified.seconds && now.modified.seconds > 1'000'000'000);
    EXPECT_CALL(sys(190, "/tmp/skep-dynamic/link", &then), 0);
    EXPECT((then.mode & 0170000) == 0120000);
    EXPECT_CALL(sys(493, kHere, "/tmp/skep-dynamic/link", &then, 0x200), 0);  // AT_SYMLINK_NOFOLLOW
    EXPECT((then.mode & 0170000) == 0120000);
    EXPECT_CALL(sys(552, kHere, "/tmp/skep-dynamic/link", &now, 0), 0);
    EXPECT(now.size == 6);
    EXPECT_CALL(sys(552, kHere, "/no/such", &now, 0), -kEnoent);
    const long file = sys(499, kHere, kFile, 0, 0);
    EXPECT_CALL(sys(551, file, &now), 0);
    EXPECT_CALL(sys(189, file, &then), 0);
    EXPECT(then.size == now.size);
    EXPECT_CALL(sys(6, file), 0);
    EXPECT_CALL(sys(551, 99, &now), -kEbadf);
    return true;
}

// Both kinds of records name the same files.
bool both_directories() {
    char now[4096], then[4096];
    const long folder = sys(499, kHere, kFolder, kDirectory | kCloseOnExec, 0);
    EXPECT(folder >= 0);
    std::int64_t base = -1;
    const long now_size = sys(554, folder, now, sizeof now, &base);
    EXPECT(now_size > 0);
    EXPECT_CALL(
        sys(554, folder, now + now_size, sizeof now - static_cast<unsigned long>(now_size), &base),
        0);
    EXPECT_CALL(sys(478, folder, 0, 0), 0);
    long then_base = -1;
    const long then_size = sys(196, folder, then, sizeof then, &then_base);
    EXPECT(then_size > 0);
    sys(6, folder);
    int names = 0, old_names = 0;
    bool found = false, old_found = false;
    for (const char* p = now; p < now + now_size;
         p += *reinterpret_cast<const std::uint16_t*>(p + 16), names++)
        if (equal(p + 24, "a"))
            found = p[18] == 8 && *reinterpret_cast<const std::uint16_t*>(p + 20) == 1;  // DT_REG
    for (const char* p = then; p < then + then_size;
         p += *reinterpret_cast<const std::uint16_t*>(p + 4), old_names++)
        if (equal(p + 8, "a"))
            old_found = p[6] == 8 && p[7] == 1;
    EXPECT(found && old_found && names == old_names && names == 4);
    return true;
}

bool device_nodes() {
    Stat zero{};
    EXPECT_CALL(sys(552, kHere, "/dev/null", &zero, 0), 0);
    EXPECT((zero.mode & 0170000) == 0020000);
    EXPECT_CALL(sys(14, "/tmp/skep-dynamic/fifo", 0010600, 0), 0);  // freebsd11_mknod
    EXPECT_CALL(sys(559, kHere, "/tmp/skep-dynamic/fifo2", 0010600, 0), 0);
    EXPECT_CALL(sys(552, kHere, "/tmp/skep-dynamic/fifo", &zero, 0), 0);
    EXPECT((zero.mode & 0170000) == 0010000);
    EXPECT_CALL(sys(10, "/tmp/skep-dynamic/fifo"), 0);
    EXPECT_CALL(sys(503, kHere, "/tmp/skep-dynamic/fifo2", 0), 0);
    return true;
}

bool file_systems() {
    static char now[2344 * 4], then[472 * 4];
    EXPECT_CALL(sys(555, "/", now), 0);
    EXPECT(*reinterpret_cast<std::uint32_t*>(now) == 0x20140518);
    EXPECT_CALL(sys(396, "/", then), 0);
    EXPECT(*reinterpret_cast<std::uint32_t*>(then) == 0x20030518);
    const long count = sys(557, nullptr, 0, 2);  // MNT_NOWAIT
    EXPECT(count >= 1);
    EXPECT(sys(557, now, sizeof now, 2) >= 1);
    EXPECT_CALL(sys(395, nullptr, 0, 2), count);
    return true;
}

bool the_working_directory() {
    char path[1024];
    EXPECT_CALL(sys(12, "/tmp/skep-dynamic"), 0);
    EXPECT_CALL(sys(326, path, sizeof path), 0);  // __getcwd
    EXPECT(equal(path, kFolder));
    EXPECT_CALL(sys(574, kHere, "link", path, sizeof path, 0), 0);  // __realpathat, since 13
    EXPECT(equal(path, kFile));
    EXPECT_CALL(sys(58, "link", path, sizeof path), 1);
    EXPECT(path[0] == 'a');
    EXPECT_CALL(sys(12, "/"), 0);
    return true;
}

// What ls -l, cp -p and tar ask beside: access lists, flags, attributes, limits of paths.
bool what_tools_ask() {
    EXPECT(sys(191, kFile, 59) <= 0);                             // _PC_ACL_EXTENDED
    EXPECT(sys(191, kFile, 64) <= 0);                             // _PC_ACL_NFS4
    EXPECT_CALL(sys(191, kFile, 4), 255);                         // _PC_NAME_MAX
    EXPECT_CALL(sys(347, kFile, 4, 0), -kEopnotsupp);             // __acl_get_file
    EXPECT_CALL(sys(425, kFile, 4, 0), -kEopnotsupp);             // __acl_get_link
    EXPECT(sys(439, "/tmp/skep-dynamic/a", 1, nullptr, 0) <= 0);  // extattr_list_link
    EXPECT_CALL(sys(34, kFile, 0), 0);
    EXPECT_CALL(sys(33, kFile, 4), 0);
    EXPECT_CALL(sys(376, kFile, 4), 0);                   // eaccess
    const Time times[2] = {{1'000'000'000, 5}, {0, -2}};  // UTIME_OMIT
    EXPECT_CALL(sys(547, kHere, kFile, times, 0), 0);
    Stat now{};
    EXPECT_CALL(sys(552, kHere, kFile, &now, 0), 0);
    EXPECT(now.accessed.seconds == 1'000'000'000 && now.modified.seconds != 1'000'000'000);
    return true;
}

// ls -l of a link that leads nowhere; dd(1) of a device.
bool what_tools_ask_of_oddities() {
    EXPECT_CALL(sys(57, "nowhere", "/tmp/skep-dynamic/dangling"), 0);
    EXPECT_CALL(sys(191, "/tmp/skep-dynamic/dangling", 64), -kEnoent);
    EXPECT_CALL(sys(513, "/tmp/skep-dynamic/dangling", 64), 0);  // lpathconf
    EXPECT_CALL(sys(10, "/tmp/skep-dynamic/dangling"), 0);
    const long zero = sys(5, "/dev/zero", 0, 0), file = sys(5, kFile, 0, 0);
    std::int32_t type = -1;
    EXPECT_CALL(sys(54, zero, 0x4004667a, &type), 0);  // FIODTYPE
    EXPECT_CALL(type & 3, 0);                          // D_TAPE, D_DISK
    EXPECT_CALL(sys(54, file, 0x4004667a, &type), -kEnotty);
    sys(6, zero);
    sys(6, file);
    return true;
}

bool absent_features() {
    char value[16] = {};
    EXPECT_CALL(sys(516), -kEnosys);           // cap_enter: libcapsicum goes on without
    EXPECT_CALL(sys(533, 1, 0), -kEnosys);     // cap_rights_limit
    EXPECT_CALL(sys(255, 0), -kEnosys);        // aio_read
    EXPECT_CALL(sys(506, 0, 0, 0), -kEnosys);  // jail_get
    EXPECT_CALL(sys(303, "aio"), -kEnoent);    // modfind
    EXPECT_CALL(sys(307, 0), 0);               // kldnext: kldstat(8) lists nothing
    EXPECT_CALL(sys(335, &value, 4), 0);       // utrace: LD_UTRACE
    EXPECT_CALL(sys(390, 0, "vm.kmem", value, sizeof value), -kEnoent);  // kenv(KENV_GET)
    return true;
}

// shm_open(3): names of their own.
bool shared_memory() {
    const long made = sys(571, "/skep/shared", 0x2 | 0x200 | 0x800 | 0x100000, 0600, 0, 0);
    EXPECT(made >= 0);  // O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC
    EXPECT_CALL(sys(571, "/skep/shared", 0x2 | 0x200 | 0x800, 0600, 0, 0), -kEexist);
    EXPECT_CALL(sys(480, made, 8192), 0);
    const long memory = sys(477, 0, 8192, 3, 1, made, 0);
    EXPECT(memory > 0);
    *reinterpret_cast<volatile char*>(memory + 4096) = 'm';
    const long again = sys(482, "/skep/shared", 0, 0);  // as before FreeBSD 13
    EXPECT(again >= 0);
    EXPECT_CALL(sys(92, again, 1), 1);  // FD_CLOEXEC
    char byte = 0;
    EXPECT_CALL(sys(475, again, &byte, 1, 4096), 1);
    EXPECT_CALL(byte, 'm');
    EXPECT_CALL(sys(572, "/skep/shared", "/skep/other", 0), 0);  // shm_rename
    EXPECT_CALL(sys(483, "/skep/shared"), -kEnoent);
    EXPECT_CALL(sys(483, "/skep/other"), 0);
    EXPECT_CALL(sys(482, "/skep/other", 0, 0), -kEnoent);
    EXPECT_CALL(sys(482, "no slash", 0, 0), -kEinval);
    EXPECT_CALL(sys(73, memory, 8192), 0);
    sys(6, made);
    sys(6, again);
    return true;
}

// mount(8) and umount(8): pairs for nmount, and the file system by its number.
bool mounting() {
    struct Segment {
        const char* text;
        std::uint64_t size;
    };
    EXPECT_CALL(sys(136, "/tmp/skep-mount", 0755), 0);
    const Segment pairs[] = {{"fstype", 7},           {"tmpfs", 6}, {"fspath", 7},
                             {"/tmp/skep-mount", 16}, {"from", 5},  {"tmpfs", 6}};
    EXPECT_CALL(sys(378, pairs, 6, 0), 0);
    static char mounted[2344];
    EXPECT_CALL(sys(555, "/tmp/skep-mount", mounted), 0);
    EXPECT(equal(mounted + 280, "tmpfs") && equal(mounted + 1320, "/tmp/skep-mount"));
    EXPECT_CALL(sys(378, pairs, 6, 0x10000), 0);  // MNT_UPDATE
    std::int32_t number;
    __builtin_memcpy(&number, mounted + 192, sizeof number);  // f_fsid
    char text[32] = "FSID:", digits[12];
    int at = 5, count = 0;
    do
        digits[count++] = static_cast<char>('0' + number % 10);
    while ((number /= 10) > 0);
    while (count)
        text[at++] = digits[--count];
    text[at++] = ':';
    text[at++] = '0';
    EXPECT_CALL(sys(22, text, 0x8000000), 0);  // MNT_BYFSID
    EXPECT_CALL(sys(22, text, 0x8000000), -kEnoent);
    EXPECT_CALL(sys(22, "/tmp/skep-mount", 0), -kEinval);
    const Segment unknown[] = {
        {"fstype", 7}, {"msdosfs", 8}, {"fspath", 7}, {"/tmp/skep-mount", 16}};
    EXPECT_CALL(sys(378, unknown, 4, 0), -19);  // ENODEV
    EXPECT_CALL(sys(137, "/tmp/skep-mount"), 0);
    return true;
}

bool remove_files() {
    EXPECT_CALL(sys(10, kFile), 0);
    EXPECT_CALL(sys(10, "/tmp/skep-dynamic/link"), 0);
    EXPECT_CALL(sys(137, kFolder), 0);
    return true;
}

}  // namespace

void file_cases() {
    const Case cases[] = {
        {"make_files", make_files},
        {"stat", both_stats},
        {"getdirentries", both_directories},
        {"mknod", device_nodes},
        {"statfs", file_systems},
        {"getcwd", the_working_directory},
        {"tools", what_tools_ask},
        {"odd_files", what_tools_ask_of_oddities},
        {"absent", absent_features},
        {"shm_open", shared_memory},
        {"mount", mounting},
        {"remove_files", remove_files},
    };
    run_cases(cases, sizeof cases / sizeof cases[0]);
}

}  // namespace bsd
