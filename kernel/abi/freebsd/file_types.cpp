#include <kernel/abi/freebsd/file_types.hpp>

#include <kernel/vfs/file.hpp>

namespace skep::kernel::freebsd_abi {

namespace {
// The kernel's numbers for these are FreeBSD's.
constexpr std::uint32_t kSame = kOpenNonblock | kOpenAppend | kOpenAsync | kOpenDirect;
static_assert(kOpenNonblock == kONonblock && kOpenAppend == kOAppend && kOpenAsync == kOAsync &&
              kOpenDirect == kODirect);
}  // namespace

std::uint32_t file_flags(std::uint32_t flags) {
    if (flags & kOPath)
        return kOpenPath;
    const std::uint32_t access =
        flags & kOExecute ? kOpenRead : ((flags & kOAccessMode) + 1) & (kOpenRead | kOpenWrite);
    return access | (flags & kSame);
}

std::uint32_t open_flags(std::uint32_t flags) {
    if (flags & kOpenPath)
        return kOPath;
    const std::uint32_t access = flags & (kOpenRead | kOpenWrite);
    return (access ? access - 1 : 0) | (flags & kSame);
}

// sys/types.h, makedev(): major in bits 63:40 and 15:8, minor in 39:32... of which bits 31:16 and
// 7:0 are the old ones.
std::uint64_t encode_device(std::uint64_t number) {
    const std::uint64_t major = device_major(number), minor = device_minor(number);
    return (major & 0xffffff00) << 32 | (major & 0xff) << 8 | (minor & 0xff00) << 24 |
           (minor & 0xffff00ff);
}

std::uint64_t decode_device(std::uint64_t d) {
    return device_number(static_cast<std::uint32_t>((d >> 32 & 0xffffff00) | (d >> 8 & 0xff)),
                         static_cast<std::uint32_t>((d >> 24 & 0xff00) | (d & 0xffff00ff)));
}

}  // namespace skep::kernel::freebsd_abi
