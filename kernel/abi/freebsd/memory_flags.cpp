#include <kernel/abi/freebsd/memory_flags.hpp>

#include <bit>

namespace skep::kernel::freebsd_abi {

namespace {
constexpr std::uint32_t kAllProtection = kProtRead | kProtWrite | kProtExecute;
}

Result<Protection> protection_argument(std::uint64_t argument) {
    constexpr unsigned kMaximumShift = 16;
    const auto bits = static_cast<std::uint32_t>(argument);
    if (bits & ~(kAllProtection | kAllProtection << kMaximumShift))
        return fail(Errno::Inval);
    const std::uint32_t now = bits & kAllProtection, maximum = bits >> kMaximumShift;
    if (maximum && now & ~maximum)
        return fail(Errno::OpNotSupp);
    Protection wanted{now, {}};
    if (maximum)
        wanted.maximum = maximum;
    return wanted;
}

Result<MapKind> map_kind(std::uint64_t protection, std::uint64_t flags, std::int32_t descriptor,
                         std::uint64_t offset) {
    const bool no_file = descriptor == -1 && offset == 0;
    if (flags & kMapGuard) {
        constexpr std::uint64_t kMay =
            kMapGuard | kMapFixed | kMapExclusive | kMap32Bit | 0xffull << kMapAlignmentShift;
        if (!no_file || protection & kAllProtection || flags & ~kMay)
            return fail(Errno::Inval);
        return MapKind::Anonymous;
    }
    if (flags & kMapStack) {
        constexpr std::uint64_t kReadWrite = kProtRead | kProtWrite;
        if (!no_file || (protection & kReadWrite) != kReadWrite)
            return fail(Errno::Inval);
        return MapKind::Anonymous;
    }
    if (flags & kMapAnonymous) {
        if (!no_file)
            return fail(Errno::Inval);
        return MapKind::Anonymous;
    }
    const std::uint64_t sharing = flags & (kMapShared | kMapPrivate);
    if (sharing == (kMapShared | kMapPrivate))
        return fail(Errno::Inval);
    return MapKind::File;
}

Result<MapRequest> map_request(std::uint64_t address, std::uint64_t size, std::uint64_t protection,
                               std::uint64_t flags) {
    if (size == 0 || (flags & kMapExclusive && !(flags & kMapFixed)))
        return fail(Errno::Inval);
    const Protection wanted = SKEP_TRY(protection_argument(protection));
    MapRequest request{.address = address,
                       .size = size,
                       .protection = wanted.now,
                       .max_protection = wanted.maximum.value_or(kAllProtection)};
    request.shared = flags & kMapShared;
    request.fixed = flags & kMapFixed;
    request.replace = !(flags & kMapExclusive);
    const unsigned alignment = flags >> kMapAlignmentShift & 0xff;
    if (alignment == 1) {  // MAP_ALIGNED_SUPER
        request.alignment = kLargePageSize;
    } else if (alignment) {
        if (alignment < static_cast<unsigned>(std::countr_zero(kPageSize)) || alignment >= 47)
            return fail(Errno::Inval);
        request.alignment = std::uint64_t{1} << alignment;
    }
    if (flags & kMap32Bit)
        request.below = 0x8000'0000;
    return request;
}

}  // namespace skep::kernel::freebsd_abi
