// struct kevent: sys/event.h. The kernel's numbers for filters, flags and notes are FreeBSD's.
#pragma once

#include <kernel/event/kevent.hpp>

namespace skep::kernel::freebsd_abi {

// Since FreeBSD 12 it is the kernel's own struct Kevent; before, without `ext`.
struct OldKevent {
    std::uint64_t ident;
    std::int16_t filter;
    std::uint16_t flags;
    std::uint32_t fflags;
    std::int64_t data;
    std::uint64_t udata;
};
static_assert(sizeof(OldKevent) == 32);

constexpr Kevent from_old(const OldKevent& e) {
    return {.ident = e.ident,
            .filter = e.filter,
            .flags = e.flags,
            .fflags = e.fflags,
            .data = e.data,
            .udata = e.udata};
}
constexpr OldKevent to_old(const Kevent& e) {
    return {e.ident, e.filter, e.flags, e.fflags, e.data, e.udata};
}

// Flags that a program may set; the others are results or the kernel's own (EV_SYSFLAGS).
inline constexpr std::uint16_t kEventSystemFlags = 0xf000;

}  // namespace skep::kernel::freebsd_abi
