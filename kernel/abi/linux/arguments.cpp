#include <kernel/abi/linux/arguments.hpp>

#include <limits>

namespace skep::kernel::linux_abi {

// The low byte of the minor, then the major, then the rest of both.
std::uint64_t encode_device(std::uint64_t number) {
    const std::uint64_t major = device_major(number), minor = device_minor(number);
    return (minor & 0xff) | (major & 0xfff) << 8 | (minor & ~0xffull) << 12 |
           (major & ~0xfffull) << 32;
}

std::uint64_t decode_device(std::uint64_t encoded) {
    return device_number(
        static_cast<std::uint32_t>((encoded >> 8 & 0xfff) | (encoded >> 32 & ~0xfffull)),
        static_cast<std::uint32_t>((encoded & 0xff) | (encoded >> 12 & ~0xffull)));
}

Result<std::int64_t> from_timespec(const Timespec& time) {
    constexpr std::int64_t kSecond = 1'000'000'000;
    if (time.nanoseconds < 0 || time.nanoseconds >= kSecond)
        return fail(Errno::Inval);
    // A saturated time is 292 years away.
    if (time.seconds > std::numeric_limits<std::int64_t>::max() / kSecond - 1)
        return std::numeric_limits<std::int64_t>::max();
    if (time.seconds < std::numeric_limits<std::int64_t>::min() / kSecond + 1)
        return std::numeric_limits<std::int64_t>::min();
    return time.seconds * kSecond + time.nanoseconds;
}

std::uint32_t file_flags(std::uint32_t flags) {
    std::uint32_t result = 0;
    switch (flags & kOAccessMode) {
        case 0:
            result = kOpenRead;
            break;
        case 1:
            result = kOpenWrite;
            break;
        default:
            result = kOpenRead | kOpenWrite;
            break;
    }
    if (flags & kONonblock)
        result |= kOpenNonblock;
    if (flags & kOAppend)
        result |= kOpenAppend;
    if (flags & kOAsync)
        result |= kOpenAsync;
    if (flags & kODirect)
        result |= kOpenDirect;
    if (flags & kOPath)
        result = kOpenPath;
    return result;
}

std::uint32_t open_flags(std::uint32_t flags) {
    if (flags & kOpenPath)
        return kOPath;
    std::uint32_t result = flags & kOpenWrite ? (flags & kOpenRead ? 2 : 1) : 0;
    if (flags & kOpenNonblock)
        result |= kONonblock;
    if (flags & kOpenAppend)
        result |= kOAppend;
    if (flags & kOpenAsync)
        result |= kOAsync;
    if (flags & kOpenDirect)
        result |= kODirect;
    return result | kOLargeFile;
}

}  // namespace skep::kernel::linux_abi
