// FreeBSD's kevent as the kernel keeps it (kqueue(2)); the numbers are its ABI.
#pragma once

#include <array>
#include <cstdint>

namespace skep::kernel {

struct Kevent {
    std::uint64_t ident = 0;
    std::int16_t filter = 0;
    std::uint16_t flags = 0;
    std::uint32_t fflags = 0;
    std::int64_t data = 0;
    std::uint64_t udata = 0;
    std::array<std::uint64_t, 4> ext{};
};
static_assert(sizeof(Kevent) == 64);

inline constexpr std::int16_t kFilterRead = -1, kFilterWrite = -2, kFilterVnode = -4,
                              kFilterProcess = -5, kFilterSignal = -6, kFilterTimer = -7,
                              kFilterUser = -11, kFilterEmpty = -13;
// Ours: all conditions of a file at once, as epoll asks for them; fflags are Events.
inline constexpr std::int16_t kFilterPoll = -64;

inline constexpr std::uint16_t kEventAdd = 1, kEventDelete = 2, kEventEnable = 4, kEventDisable = 8,
                               kEventOneshot = 0x10, kEventClear = 0x20, kEventReceipt = 0x40,
                               kEventDispatch = 0x80, kEventKeepUserData = 0x200,
                               kEventRealtime = 0x400, kEventAffinity = 0x800,  // SKQ's
    kEventError = 0x4000, kEventEof = 0x8000;

inline constexpr std::uint32_t kNoteLowWater = 1;  // READ, WRITE: data is the threshold
inline constexpr std::uint32_t kNoteSeconds = 1, kNoteMilliseconds = 2, kNoteMicroseconds = 4,
                               kNoteNanoseconds = 8, kNoteAbsoluteTime = 0x10;
inline constexpr std::uint32_t kNoteUserNop = 0, kNoteUserAnd = 0x40000000,
                               kNoteUserOr = 0x80000000, kNoteUserCopy = 0xc0000000,
                               kNoteUserControl = 0xc0000000, kNoteUserTrigger = 0x01000000,
                               kNoteUserFlags = 0x00ffffff;

}  // namespace skep::kernel
