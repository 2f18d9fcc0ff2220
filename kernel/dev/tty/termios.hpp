// Terminal settings as the kernel keeps them: FreeBSD's numbers (termios(4)). Personalities
// translate.
#pragma once

#include <array>
#include <cstdint>

namespace skep::kernel {

// Input
inline constexpr std::uint32_t kInputStrip = 0x20, kInputNlToCr = 0x40, kInputIgnoreCr = 0x80,
                               kInputCrToNl = 0x100, kInputStartStop = 0x200,
                               kInputAnyRestarts = 0x800, kInputBellOnFull = 0x2000;
// Output
inline constexpr std::uint32_t kOutputProcess = 0x1, kOutputNlToCrNl = 0x2, kOutputExpandTabs = 0x4,
                               kOutputCrToNl = 0x10, kOutputNoCrAtColumn0 = 0x20,
                               kOutputNlIsCr = 0x40;
// Control
inline constexpr std::uint32_t kControlSizeMask = 0x300, kControl8Bits = 0x300,
                               kControlReceive = 0x800, kControlHangup = 0x4000,
                               kControlLocal = 0x8000;
// Local
inline constexpr std::uint32_t kLocalEraseLine = 0x1, kLocalErase = 0x2, kLocalKill = 0x4,
                               kLocalEcho = 0x8, kLocalEchoNl = 0x10, kLocalEchoControl = 0x40,
                               kLocalSignals = 0x80, kLocalCanonical = 0x100,
                               kLocalExtended = 0x400, kLocalStopOutput = 0x400000,
                               kLocalNoFlush = 0x80000000;

enum ControlCharacter : unsigned {
    kEof = 0,
    kEol = 1,
    kEol2 = 2,
    kErase = 3,
    kWordErase = 4,
    kKill = 5,
    kReprint = 6,
    kErase2 = 7,
    kInterrupt = 8,
    kQuit = 9,
    kSuspend = 10,
    kDelayedSuspend = 11,
    kStart = 12,
    kStop = 13,
    kLiteralNext = 14,
    kDiscard = 15,
    kMinimum = 16,
    kTime = 17,
    kStatus = 18,
    kControlCharacters = 20,
};
inline constexpr std::uint8_t kDisabled = 0xff;  // _POSIX_VDISABLE

struct Termios {
    std::uint32_t input = kInputCrToNl | kInputStartStop | kInputBellOnFull;
    std::uint32_t output = kOutputProcess | kOutputNlToCrNl;
    std::uint32_t control = kControl8Bits | kControlReceive | kControlHangup | kControlLocal;
    std::uint32_t local = kLocalEraseLine | kLocalErase | kLocalKill | kLocalEcho |
                          kLocalEchoControl | kLocalSignals | kLocalCanonical | kLocalExtended;
    std::array<std::uint8_t, kControlCharacters> characters{
        4, kDisabled, kDisabled, 0x7f,     23, 21, 18, 8,   // ^D, -, -, DEL, ^W, ^U, ^R, ^H
        3, 28,        26,        25,       17, 19, 22, 15,  // ^C, ^\, ^Z, ^Y, ^Q, ^S, ^V, ^O
        1, 0,         20,        kDisabled};                // MIN 1, TIME 0, ^T
    std::uint32_t input_speed = 115200, output_speed = 115200;
    bool has(std::uint8_t character, ControlCharacter which) const {
        return characters[which] != kDisabled && characters[which] == character;
    }
};

struct WindowSize {
    std::uint16_t rows = 24, columns = 80, width = 0, height = 0;
    bool operator==(const WindowSize&) const = default;
};

}  // namespace skep::kernel
