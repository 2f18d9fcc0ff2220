#include <kernel/abi/linux/arguments.hpp>

#include <algorithm>
#include <limits>

namespace skep::kernel::linux_abi {

namespace {
constexpr std::uint64_t kIovecMax = 1024;
}

Result<Ref<Vnode>> start_argument(std::uint64_t descriptor, std::string_view path) {
    if (static_cast<int>(descriptor) == kAtFdCwd || path.starts_with('/'))
        return current_fs().working_directory();
    Ref<File> file = SKEP_TRY(file_argument(descriptor));
    if (!file->vnode() || !file->vnode()->is_directory())
        return fail(Errno::NotDir);
    return file->vnode();
}

Result<PlaceArgument> place_argument(std::uint64_t descriptor, UserAddr path) {
    PlaceArgument place;
    place.path = SKEP_TRY(PathArgument::copy(path));
    place.start = SKEP_TRY(start_argument(descriptor, place.path.view()));
    return place;
}

Result<Vector<IoSegment>> iovec_argument(UserAddr from, std::uint64_t count) {
    if (count > kIovecMax)
        return fail(Errno::Inval);
    Vector<IoSegment> segments;
    SKEP_TRY(segments.resize(count));
    static_assert(sizeof(IoSegment) == sizeof(Iovec));  // and alike
    if (count)
        SKEP_TRY(copy_in(segments.data(), from, count * sizeof(Iovec)));
    std::size_t room = kIoMax;
    for (IoSegment& segment : segments) {
        if (segment.size > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
            return fail(Errno::Inval);
        segment.size = std::min(segment.size, room);
        room -= segment.size;
    }
    return segments;
}

// The low byte of the minor, then the major, then the rest of both.
std::uint64_t encode_device(std::uint64_t number) {
    const std::uint64_t major = device_major(number), minor = device_minor(number);
    return (minor & 0xff) | (major & 0xfff) << 8 | (minor & ~0xffull) << 12 | (major & ~0xfffull) << 32;
}

std::uint64_t decode_device(std::uint64_t encoded) {
    return device_number(static_cast<std::uint32_t>((encoded >> 8 & 0xfff) | (encoded >> 32 & ~0xfffull)),
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
        case 0: result = kOpenRead; break;
        case 1: result = kOpenWrite; break;
        default: result = kOpenRead | kOpenWrite; break;
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
