// What stat(2) tells of a file, before a personality puts it in its own layout.
#pragma once

#include <cstdint>

namespace skep::kernel {

enum class VnodeType : std::uint8_t {
    Regular,
    Directory,
    Symlink,
    CharDevice,
    BlockDevice,
    Fifo,
    Socket
};

// Mode bits, alike in both personalities (sys/stat.h).
inline constexpr std::uint32_t kModeTypeMask = 0170000;
inline constexpr std::uint32_t kModeSetUser = 04000, kModeSetGroup = 02000, kModeSticky = 01000;
inline constexpr std::uint32_t kModePermissions = 07777;

constexpr std::uint32_t mode_of(VnodeType type) {
    switch (type) {
        case VnodeType::Regular:
            return 0100000;
        case VnodeType::Directory:
            return 0040000;
        case VnodeType::Symlink:
            return 0120000;
        case VnodeType::CharDevice:
            return 0020000;
        case VnodeType::BlockDevice:
            return 0060000;
        case VnodeType::Fifo:
            return 0010000;
        case VnodeType::Socket:
            return 0140000;
    }
    return 0;
}

// Times in nanoseconds since 1970-01-01 00:00 UTC.
using FileTime = std::int64_t;

struct FileStat {
    std::uint64_t device = 0, inode = 0;
    std::uint32_t mode = 0;  // type and permissions
    std::uint32_t links = 1, user = 0, group = 0;
    std::uint64_t device_number = 0;  // of a device node: device_number()
    std::uint64_t size = 0;
    std::uint64_t blocks = 0;  // of 512 bytes, as allocated
    std::uint32_t block_size = 4096;
    FileTime accessed = 0, modified = 0, changed = 0, created = 0;
};

// Device numbers keep major and minor apart; personalities encode them their way.
constexpr std::uint64_t device_number(std::uint32_t major, std::uint32_t minor) {
    return std::uint64_t{major} << 32 | minor;
}
constexpr std::uint32_t device_major(std::uint64_t number) {
    return static_cast<std::uint32_t>(number >> 32);
}
constexpr std::uint32_t device_minor(std::uint64_t number) {
    return static_cast<std::uint32_t>(number);
}

struct FileSystemStat {
    const char* type = "";
    std::uint64_t id = 0;
    std::uint32_t block_size = 4096, name_max = 255;
    std::uint64_t blocks = 0, free_blocks = 0, files = 0, free_files = 0;
};

}  // namespace skep::kernel
