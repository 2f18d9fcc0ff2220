// Numbers and layouts of FreeBSD/amd64 that calls on files need: fcntl.h, sys/stat.h, sys/dirent.h,
// sys/mount.h.
#pragma once

#include <kernel/abi/time.hpp>

#include <array>
#include <cstddef>

namespace skep::kernel::freebsd_abi {

using abi::Timespec;
using abi::Timeval;

// --- since FreeBSD 12: 64-bit inode numbers ---

struct Stat {
    std::uint64_t device, inode, links;
    std::uint16_t mode;
    std::int16_t padding;
    std::uint32_t user, group, padding2;
    std::uint64_t device_number;
    Timespec accessed, modified, changed, created;
    std::int64_t size, blocks;
    std::int32_t block_size;
    std::uint32_t flags;
    std::uint64_t generation, spare[10];
};
static_assert(sizeof(Stat) == 224 && offsetof(Stat, size) == 112);

struct DirectoryRecord {  // struct dirent; the name follows, with its NUL, padded with zeros to 8
                          // bytes
    std::uint64_t inode;
    std::int64_t next;
    std::uint16_t size;
    std::uint8_t type, padding;
    std::uint16_t name_size, padding2;
};
static_assert(sizeof(DirectoryRecord) == 24);

template <std::size_t PathSize>
struct StatFsOf {
    std::uint32_t version, type;
    std::uint64_t flags, block_size, io_size, blocks, free_blocks;
    std::int64_t available_blocks;
    std::uint64_t files;
    std::int64_t free_files;
    std::uint64_t sync_writes, async_writes, sync_reads, async_reads, spare[10];
    std::uint32_t name_max, owner;
    std::int32_t id[2];
    char char_spare[80];
    char type_name[16], from[PathSize], on[PathSize];
};
using StatFs = StatFsOf<1024>;
static_assert(sizeof(StatFs) == 2344);
inline constexpr std::uint32_t kStatFsVersion = 0x20140518;

// --- before (FreeBSD 5 to 11) ---

struct OldStat {
    std::uint32_t device, inode;
    std::uint16_t mode, links;
    std::uint32_t user, group, device_number;
    Timespec accessed, modified, changed;
    std::int64_t size, blocks;
    std::int32_t block_size;
    std::uint32_t flags, generation;
    std::int32_t spare;
    Timespec created;
};
static_assert(sizeof(OldStat) == 120);

struct OldDirectoryRecord {
    std::uint32_t inode;
    std::uint16_t size;
    std::uint8_t type, name_size;
};
static_assert(sizeof(OldDirectoryRecord) == 8);

using OldStatFs = StatFsOf<88>;
static_assert(sizeof(OldStatFs) == 472);
inline constexpr std::uint32_t kOldStatFsVersion = 0x20030518;

// --- fcntl.h ---

struct Flock {
    std::int64_t start, size;
    std::int32_t process;
    std::int16_t type, whence;
    std::int32_t system, padding;
};
static_assert(sizeof(Flock) == 32);
enum : std::int16_t {
    kReadLock = 1,
    kUnlock = 2,
    kWriteLock = 3
};

enum : std::uint32_t {
    kOAccessMode = 3,
    kONonblock = 4,
    kOAppend = 8,
    kOSharedLock = 0x10,
    kOExclusiveLock = 0x20,
    kOAsync = 0x40,
    kOSync = 0x80,
    kONoFollow = 0x100,
    kOCreate = 0x200,
    kOTruncate = 0x400,
    kOExclusive = 0x800,
    kONoControllingTty = 0x8000,
    kODirect = 0x10000,
    kODirectory = 0x20000,
    kOExecute = 0x40000,
    kOCloseOnExec = 0x100000,
    kOVerify = 0x200000,
    kOPath = 0x400000,
    kOResolveBeneath = 0x800000,
    kODataSync = 0x1000000,
    kOEmptyPath = 0x2000000,
};
enum : std::uint32_t {
    kAtEffectiveAccess = 0x100,
    kAtSymlinkNofollow = 0x200,
    kAtSymlinkFollow = 0x400,
    kAtRemoveDir = 0x800,
    kAtResolveBeneath = 0x2000,
    kAtEmptyPath = 0x4000
};
enum : std::int32_t {
    kFDup = 0,
    kFGetDescriptorFlags = 1,
    kFSetDescriptorFlags = 2,
    kFGetFlags = 3,
    kFSetFlags = 4,
    kFGetOwner = 5,
    kFSetOwner = 6,
    kFOldGetLock = 7,
    kFOldSetLock = 8,
    kFOldSetLockWait = 9,
    kFDup2 = 10,
    kFGetLock = 11,
    kFSetLock = 12,
    kFSetLockWait = 13,
    kFReadAhead = 15,
    kFOldReadAhead = 16,
    kFDupCloseOnExec = 17,
    kFDup2CloseOnExec = 18,
    kFAddSeals = 19,
    kFGetSeals = 20,
    kFIsUnionStack = 21,
};

// Times in utimensat.
inline constexpr std::int64_t kTimeNow = -1, kTimeOmit = -2;

// File's flags from O_*, and what F_GETFL shows of them.
std::uint32_t file_flags(std::uint32_t open_flags);
std::uint32_t open_flags(std::uint32_t file_flags);

// dev_t: 64 bits, the old minor and major where they always were.
std::uint64_t encode_device(std::uint64_t number);
std::uint64_t decode_device(std::uint64_t encoded);

}  // namespace skep::kernel::freebsd_abi
