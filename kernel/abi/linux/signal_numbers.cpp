#include <kernel/abi/linux/signal_numbers.hpp>

#include <kernel/abi/signals.hpp>

#include <array>

namespace skep::kernel::linux_abi {

namespace {

// By Linux's number. STKFLT and PWR have no counterpart and borrow EMT and INFO, which Linux lacks.
constexpr std::array<Signal, 32> kFromLinux = {
    Signal::None, Signal::Hup,  Signal::Int,    Signal::Quit, Signal::Ill,   Signal::Trap,
    Signal::Abrt, Signal::Bus,  Signal::Fpe,    Signal::Kill, Signal::Usr1,  Signal::Segv,
    Signal::Usr2, Signal::Pipe, Signal::Alrm,   Signal::Term, Signal::Emt,   Signal::Chld,
    Signal::Cont, Signal::Stop, Signal::Tstp,   Signal::Ttin, Signal::Ttou,  Signal::Urg,
    Signal::Xcpu, Signal::Xfsz, Signal::VtAlrm, Signal::Prof, Signal::Winch, Signal::Io,
    Signal::Info, Signal::Sys,
};
constexpr unsigned kFirstRealTime = 32;

constexpr auto kToLinux = [] {
    std::array<std::uint8_t, kSignals> t{};
    for (unsigned n = 1; n < kFirstRealTime; n++)
        t[static_cast<std::size_t>(kFromLinux[n])] = static_cast<std::uint8_t>(n);
    for (unsigned n = kFirstRealTime; n <= kLinuxSignals; n++)
        t[static_cast<std::size_t>(Signal::RtMin) + n - kFirstRealTime] =
            static_cast<std::uint8_t>(n);
    return t;
}();

// si_code, asm-generic/siginfo.h.
std::int32_t code_of(const SignalInfo& info) {
    switch (info.cause) {
        case SignalCause::User:
            return 0;
        case SignalCause::Queue:
            return info.raw_code;
        case SignalCause::Timer:
            return -2;
        case SignalCause::Thread:
            return -6;
        case SignalCause::Kernel:
            return 0x80;
        default:
            return abi::detail_code(info.cause);
    }
}

bool is_fault(SignalCause cause) {
    return cause >= SignalCause::NotMapped;
}

}  // namespace

Signal from_linux_signal(std::uint64_t number) {
    if (number < kFromLinux.size())
        return kFromLinux[number];
    if (number <= kLinuxSignals)
        return static_cast<Signal>(static_cast<unsigned>(Signal::RtMin) + number - kFirstRealTime);
    return Signal::None;
}

std::uint32_t to_linux_signal(Signal signal) {
    return kToLinux[static_cast<std::size_t>(signal)];
}

SignalSet from_linux_set(LinuxSet set) {
    SignalSet result;
    for (; set; set &= set - 1)
        result.add(from_linux_signal(static_cast<unsigned>(std::countr_zero(set)) + 1));
    return result;
}

LinuxSet to_linux_set(const SignalSet& set) {
    LinuxSet result = 0;
    for (unsigned n = 1; n <= kLinuxSignals; n++)
        if (set.has(from_linux_signal(n)))
            result |= LinuxSet{1} << (n - 1);
    return result;
}

LinuxSigInfo to_linux_info(const SignalInfo& info) {
    LinuxSigInfo out{};
    out.signal = static_cast<std::int32_t>(to_linux_signal(info.signal));
    out.error = info.error;
    out.code = code_of(info);
    if (is_fault(info.cause) || (info.cause == SignalCause::Kernel && info.trap)) {
        out.address = info.address;
        return out;
    }
    out.sender.process = info.process;
    out.sender.user = info.user;
    switch (info.cause) {
        case SignalCause::ChildExited:
            out.sender.status = info.status;
            break;
        case SignalCause::ChildKilled:
        case SignalCause::ChildDumped:
        case SignalCause::ChildStopped:
        case SignalCause::ChildContinued:
            out.sender.status =
                static_cast<std::int32_t>(to_linux_signal(static_cast<Signal>(info.status)));
            break;
        case SignalCause::Timer:  // si_timerid, si_overrun
            out.sender.process = info.timer;
            out.sender.user = info.overruns;
            out.sender.value = info.value;
            break;
        default:
            out.sender.value = info.value;
            break;
    }
    return out;
}

SignalInfo from_linux_info(const LinuxSigInfo& in, Signal signal) {
    return {.signal = signal,
            .cause = SignalCause::Queue,
            .error = in.error,
            .process = in.sender.process,
            .user = in.sender.user,
            .value = in.sender.value,
            .raw_code = in.code};
}

}  // namespace skep::kernel::linux_abi
