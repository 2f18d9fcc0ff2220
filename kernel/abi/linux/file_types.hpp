// Layouts and numbers of Linux/amd64 that file calls need (its uapi headers; man 2 of each call).
#pragma once

#include <cstdint>

namespace skep::kernel::linux_abi {

struct Timespec {
    std::int64_t seconds, nanoseconds;
};
struct Timeval {
    std::int64_t seconds, microseconds;
};

struct Stat {
    std::uint64_t device, inode, links;
    std::uint32_t mode, user, group, padding;
    std::uint64_t device_number;
    std::int64_t size, block_size, blocks;
    Timespec accessed, modified, changed;
    std::int64_t unused[3];
};
static_assert(sizeof(Stat) == 144);

struct StatxTime {
    std::int64_t seconds;
    std::uint32_t nanoseconds;
    std::int32_t reserved;
};
struct Statx {
    std::uint32_t mask, block_size;
    std::uint64_t attributes;
    std::uint32_t links, user, group;
    std::uint16_t mode, padding;
    std::uint64_t inode, size, blocks, attributes_mask;
    StatxTime accessed, created, changed, modified;
    std::uint32_t node_major, node_minor, device_major, device_minor;
    std::uint64_t mount, direct_alignment;
    std::uint64_t spare[12];
};
static_assert(sizeof(Statx) == 256);
inline constexpr std::uint32_t kStatxBasic = 0x7ff, kStatxCreated = 0x800;

struct StatFs {
    std::int64_t type, block_size;
    std::uint64_t blocks, free_blocks, available_blocks, files, free_files;
    std::int32_t id[2];
    std::int64_t name_max, fragment_size, flags, spare[4];
};
static_assert(sizeof(StatFs) == 120);

struct DirectoryEntryHeader {  // linux_dirent64; the name follows, with its NUL
    std::uint64_t inode;
    std::int64_t next;
    std::uint16_t size;
    std::uint8_t type;
} __attribute__((packed));
static_assert(sizeof(DirectoryEntryHeader) == 19);

struct Iovec {
    std::uint64_t base, size;
};

struct Flock {
    std::int16_t type, whence;
    std::int32_t padding;
    std::int64_t start, size;
    std::int32_t process, padding2;
};
static_assert(sizeof(Flock) == 32);

struct OpenHow2 {  // struct open_how of openat2
    std::uint64_t flags, mode, resolve;
};

enum : std::uint32_t {
    kAtSymlinkNofollow = 0x100,
    kAtRemoveDir = 0x200,
    kAtEffectiveAccess = 0x200,
    kAtSymlinkFollow = 0x400,
    kAtNoAutomount = 0x800,
    kAtEmptyPath = 0x1000,
    kAtStatxSync = 0x6000,
};
enum : std::uint32_t {
    kOAccessMode = 3,
    kOCreate = 0100,
    kOExclusive = 0200,
    kONoControllingTty = 0400,
    kOTruncate = 01000,
    kOAppend = 02000,
    kONonblock = 04000,
    kODataSync = 010000,
    kOAsync = 020000,
    kODirect = 040000,
    kOLargeFile = 0100000,
    kODirectory = 0200000,
    kONoFollow = 0400000,
    kONoAccessTime = 01000000,
    kOCloseOnExec = 02000000,
    kOSync = 04000000,
    kOPath = 010000000,
    kOTmpfile = 020000000,
};
enum : int {
    kFDup = 0,
    kFGetDescriptorFlags = 1,
    kFSetDescriptorFlags = 2,
    kFGetFlags = 3,
    kFSetFlags = 4,
    kFGetLock = 5,
    kFSetLock = 6,
    kFSetLockWait = 7,
    kFSetOwner = 8,
    kFGetOwner = 9,
    kFOpenGetLock = 36,
    kFOpenSetLock = 37,
    kFOpenSetLockWait = 38,
    kFDupCloseOnExec = 1030,
    kFSetPipeSize = 1031,
    kFGetPipeSize = 1032,
};

}  // namespace skep::kernel::linux_abi
