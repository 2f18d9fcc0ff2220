// Signal numbers, sets and siginfo in Linux's form (asm/signal.h, asm-generic/siginfo.h).
#pragma once

#include <kernel/proc/signal_state.hpp>

#include <cstdint>

namespace skep::kernel::linux_abi {

inline constexpr unsigned kLinuxSignals = 64;

// None if there is no such signal.
Signal from_linux_signal(std::uint64_t number);
// 0 if Linux has no such signal.
std::uint32_t to_linux_signal(Signal signal);

using LinuxSet = std::uint64_t;  // bit n - 1 = signal n
SignalSet from_linux_set(LinuxSet set);
LinuxSet to_linux_set(const SignalSet& set);

struct LinuxSigInfo {
    std::int32_t signal, error, code, padding;
    union {
        struct {
            std::int32_t process;
            std::uint32_t user;
            union {
                std::uint64_t value;
                std::int32_t status;
            };
        } sender;
        std::uint64_t address;
        std::uint8_t bytes[112];
    };
};
static_assert(sizeof(LinuxSigInfo) == 128);

LinuxSigInfo to_linux_info(const SignalInfo& info);
// Of rt_sigqueueinfo.
SignalInfo from_linux_info(const LinuxSigInfo& info, Signal signal);

}  // namespace skep::kernel::linux_abi
