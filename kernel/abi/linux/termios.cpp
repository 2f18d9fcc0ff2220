#include <kernel/abi/linux/termios.hpp>

#include <span>

namespace skep::kernel::linux_abi {

namespace {

struct FlagPair {
    std::uint32_t ours, theirs;
};

constexpr FlagPair kInputFlags[] = {
    {0x1, 0x1},    // IGNBRK
    {0x2, 0x2},    // BRKINT
    {0x4, 0x4},    // IGNPAR
    {0x8, 0x8},    // PARMRK
    {0x10, 0x10},  // INPCK
    {kInputStrip, 0x20},
    {kInputNlToCr, 0x40},
    {kInputIgnoreCr, 0x80},
    {kInputCrToNl, 0x100},
    {kInputStartStop, 0x400},
    {kInputAnyRestarts, 0x800},
    {0x400, 0x1000},  // IXOFF
    {kInputBellOnFull, 0x2000},
    {0x4000, 0x4000},  // IUTF8
};
constexpr FlagPair kOutputFlags[] = {
    {kOutputProcess, 0x1},        {kOutputNlToCrNl, 0x4}, {kOutputCrToNl, 0x8},
    {kOutputNoCrAtColumn0, 0x10}, {kOutputNlIsCr, 0x20},  {kOutputExpandTabs, 0x1800},
};
constexpr FlagPair kControlFlags[] = {
    {0x400, 0x40},                                                           // CSTOPB
    {kControlReceive, 0x80}, {0x1000, 0x100},                                // PARENB
    {0x2000, 0x200},                                                         // PARODD
    {kControlHangup, 0x400}, {kControlLocal, 0x800}, {0x30000, 0x80000000},  // CRTSCTS
};
constexpr FlagPair kLocalFlags[] = {
    {kLocalSignals, 0x1},       {kLocalCanonical, 0x2},
    {kLocalEcho, 0x8},          {kLocalErase, 0x10},
    {kLocalKill, 0x20},         {kLocalEchoNl, 0x40},
    {kLocalNoFlush, 0x80},      {kLocalStopOutput, 0x100},
    {kLocalEchoControl, 0x200}, {0x20, 0x400},  // ECHOPRT
    {kLocalEraseLine, 0x800},   {kLocalExtended, 0x8000},
};
constexpr std::uint32_t kSizeShift = 4;        // CSIZE is 0x300 here, 0x30 there
constexpr std::uint32_t kBaud115200 = 0x1002;  // B115200

// Index in the kernel's array for each of Linux's c_cc; kControlCharacters: none.
constexpr std::uint8_t kCharacterMap[] = {
    kInterrupt,         kQuit,        kErase, kKill,    kEof, kTime,    kMinimum,
    kControlCharacters, kStart,       kStop,  kSuspend, kEol, kReprint, kDiscard,
    kWordErase,         kLiteralNext, kEol2};

std::uint32_t to_theirs(std::uint32_t flags, std::span<const FlagPair> pairs) {
    std::uint32_t result = 0;
    for (const FlagPair& pair : pairs)
        if ((flags & pair.ours) == pair.ours)
            result |= pair.theirs;
    return result;
}

std::uint32_t to_ours(std::uint32_t flags, std::uint32_t old, std::span<const FlagPair> pairs) {
    for (const FlagPair& pair : pairs)
        old = (flags & pair.theirs) == pair.theirs ? old | pair.ours : old & ~pair.ours;
    return old;
}

}  // namespace

LinuxTermios to_linux(const Termios& from) {
    LinuxTermios to{};
    to.input = to_theirs(from.input, kInputFlags);
    to.output = to_theirs(from.output, kOutputFlags);
    to.control = to_theirs(from.control, kControlFlags) |
                 (from.control & kControlSizeMask) >> kSizeShift | kBaud115200;
    to.local = to_theirs(from.local, kLocalFlags);
    for (std::size_t i = 0; i < std::size(kCharacterMap); i++)
        if (kCharacterMap[i] != kControlCharacters) {
            const std::uint8_t character = from.characters[kCharacterMap[i]];
            to.characters[i] = character == kDisabled ? 0 : character;
        }
    return to;
}

Termios from_linux(const LinuxTermios& from, const Termios& old) {
    Termios to = old;
    to.input = to_ours(from.input, old.input, kInputFlags);
    to.output = to_ours(from.output, old.output, kOutputFlags);
    to.control = (to_ours(from.control, old.control, kControlFlags) & ~kControlSizeMask) |
                 (from.control << kSizeShift & kControlSizeMask);
    to.local = to_ours(from.local, old.local, kLocalFlags);
    for (std::size_t i = 0; i < std::size(kCharacterMap); i++) {
        if (kCharacterMap[i] == kControlCharacters)
            continue;
        const bool number = kCharacterMap[i] == kMinimum || kCharacterMap[i] == kTime;
        to.characters[kCharacterMap[i]] =
            from.characters[i] == 0 && !number ? kDisabled : from.characters[i];
    }
    return to;
}

}  // namespace skep::kernel::linux_abi
