#include <guestdev/emulate/page_walk.hpp>

namespace skep::guestdev {
namespace {

constexpr std::uint64_t kCr0Wp = 1 << 16, kCr0Pg = 1ull << 31;
constexpr std::uint64_t kCr4Pse = 1 << 4, kCr4Pae = 1 << 5, kCr4La57 = 1 << 12;
constexpr std::uint64_t kEferNxe = 1 << 11, kEferLma = 1 << 10;

constexpr std::uint64_t kPresent = 1, kWritable = 2, kUser = 4, kAccessed = 32, kDirty = 64,
                        kLarge = 128, kNoExecute = 1ull << 63;
constexpr std::uint64_t kAddressMask = 0x000f'ffff'ffff'f000;

constexpr std::uint8_t kPageFault = 14, kGeneralProtection = 13;
enum FaultCode : std::uint32_t {
    kCodePresent = 1,
    kCodeWrite = 2,
    kCodeUser = 4,
    kCodeFetch = 16
};

struct Geometry {
    unsigned levels, index_bits, entry_size;
};

}  // namespace

std::expected<std::uint64_t, GuestFault> walk(const PagingState& state, const GuestMemory& memory,
                                              std::uint64_t linear, WalkAccess access) {
    bool long_mode = state.efer & kEferLma;
    if (!(state.cr0 & kCr0Pg))
        return linear & 0xffff'ffff;
    Geometry geometry = {.levels = 2, .index_bits = 10, .entry_size = 4};
    if (long_mode)
        geometry = {.levels = state.cr4 & kCr4La57 ? 5u : 4u, .index_bits = 9, .entry_size = 8};
    else if (state.cr4 & kCr4Pae)
        geometry = {.levels = 3, .index_bits = 9, .entry_size = 8};
    if (!long_mode)
        linear &= 0xffff'ffff;
    if (long_mode) {
        unsigned bits = 12 + 9 * geometry.levels;
        auto extended = static_cast<std::int64_t>(linear << (64 - bits)) >> (64 - bits);
        if (static_cast<std::uint64_t>(extended) != linear)
            return std::unexpected(GuestFault{kGeneralProtection, true, 0, 0});
    }

    std::uint32_t code =
        (access == WalkAccess::Write ? kCodeWrite : 0u) | (state.user ? kCodeUser : 0u) |
        (access == WalkAccess::Execute && (state.efer & kEferNxe) ? kCodeFetch : 0u);
    auto fault = [&](bool present) {
        return std::unexpected(
            GuestFault{kPageFault, true, code | (present ? kCodePresent : 0u), linear});
    };

    std::uint64_t table = state.cr3 & (geometry.entry_size == 4 ? 0xffff'f000
                                       : geometry.levels == 3   ? 0xffff'ffe0
                                                                : kAddressMask);
    std::uint64_t permissions = kWritable | kUser;
    bool no_execute = false;
    for (unsigned level = geometry.levels; level > 0; level--) {
        unsigned shift = 12 + (level - 1) * geometry.index_bits;
        std::uint64_t index = linear >> shift & ((1u << geometry.index_bits) - 1);
        if (geometry.levels == 3 && level == 3)
            index &= 3;
        std::uint64_t at = table + index * geometry.entry_size;
        auto entry = geometry.entry_size == 8
                         ? memory.read<std::uint64_t>(at)
                         : memory.read<std::uint32_t>(at).transform(
                               [](std::uint32_t value) { return std::uint64_t{value}; });
        if (!entry || !(*entry & kPresent))
            return fault(false);
        bool directory_pointer = geometry.levels == 3 && level == 3;  // has no permissions
        if (!directory_pointer) {
            permissions &= *entry;
            no_execute |=
                (*entry & kNoExecute) && (state.efer & kEferNxe) && geometry.entry_size == 8;
        }
        bool large_allowed = level == 2 ? geometry.entry_size == 8 || (state.cr4 & kCr4Pse)
                                        : level == 3 && geometry.levels > 3;
        bool leaf = level == 1 || ((*entry & kLarge) && large_allowed);
        if (leaf) {
            bool write_refused = access == WalkAccess::Write && !(permissions & kWritable) &&
                                 (state.user || (state.cr0 & kCr0Wp));
            if (write_refused || (state.user && !(permissions & kUser)) ||
                (access == WalkAccess::Execute && no_execute))
                return fault(true);
        }
        std::uint64_t marks = kAccessed | (leaf && access == WalkAccess::Write ? kDirty : 0);
        if (!directory_pointer && (*entry & marks) != marks) {
            // The low byte holds both bits.
            (void)memory.write(at, static_cast<std::uint8_t>(*entry | marks));
        }
        if (leaf) {
            std::uint64_t page_mask = (1ull << shift) - 1;
            std::uint64_t base = *entry & kAddressMask & ~page_mask;
            if (geometry.entry_size == 4) {
                base = *entry & 0xffff'f000 & ~page_mask;
                if (level == 2)  // PSE-36, 4.3
                    base |= (*entry >> 13 & 0xff) << 32;
            }
            return base | (linear & page_mask);
        }
        table = *entry & (geometry.entry_size == 4 ? 0xffff'f000 : kAddressMask);
    }
    return fault(false);
}

}  // namespace skep::guestdev
