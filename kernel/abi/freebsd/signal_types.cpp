#include <kernel/abi/freebsd/signal_types.hpp>

#include <kernel/abi/signals.hpp>
#include <kernel/arch/x86_64/trap.hpp>

namespace skep::kernel::freebsd_abi {

namespace {

std::int32_t code_of(const SignalInfo& info) {
    switch (info.cause) {
        case SignalCause::User:
            return kCodeUser;
        case SignalCause::Queue:
            return kCodeQueue;
        case SignalCause::Timer:
            return kCodeTimer;
        case SignalCause::Thread:
            return kCodeThread;
        case SignalCause::Kernel:
            return kCodeKernel;
        case SignalCause::IntegerDivide:
            return 2;  // FPE_INTDIV
        default:
            return abi::detail_code(info.cause);
    }
}

}  // namespace

BsdSignalSet to_bsd_set(const SignalSet& set) {
    BsdSignalSet out{};
    for (unsigned n = 1; n < kSignals; n++)
        if (set.has(static_cast<Signal>(n)))
            out.words[(n - 1) / 32] |= 1u << (n - 1) % 32;
    return out;
}

SignalSet from_bsd_set(const BsdSignalSet& set) {
    SignalSet out;
    for (unsigned n = 1; n < kSignals; n++)
        if (set.words[(n - 1) / 32] & 1u << (n - 1) % 32)
            out.add(static_cast<Signal>(n));
    return out;
}

BsdSignalInfo to_bsd_info(const SignalInfo& info) {
    BsdSignalInfo out{};
    out.signal = static_cast<std::int32_t>(info.signal);
    out.error = info.error;
    out.code = code_of(info);
    out.process = info.process;
    out.user = info.user;
    out.status = info.status;
    out.address = info.address;
    out.value = info.value;
    out.trap = static_cast<std::int32_t>(
        info.cause >= SignalCause::NotMapped ? to_bsd_trap(info.trap) : 0);
    if (info.cause == SignalCause::Timer) {
        out.trap = info.timer;  // si_timerid, si_overrun
        out.reason[0] = info.overruns;
    }
    return out;
}

std::uint32_t to_bsd_trap(std::uint32_t vector) {
    switch (static_cast<TrapVector>(vector)) {
        case TrapVector::DivideError:
            return 18;
        case TrapVector::Debug:
            return 10;
        case TrapVector::Nmi:
            return 19;
        case TrapVector::Breakpoint:
            return 3;
        case TrapVector::Overflow:
            return 20;
        case TrapVector::BoundRange:
            return 21;
        case TrapVector::InvalidOpcode:
            return 1;
        case TrapVector::DeviceNotAvailable:
            return 22;
        case TrapVector::DoubleFault:
            return 23;
        case TrapVector::InvalidTss:
            return 25;
        case TrapVector::SegmentNotPresent:
            return 26;
        case TrapVector::StackFault:
            return 27;
        case TrapVector::GeneralProtection:
            return 9;
        case TrapVector::PageFault:
            return 12;
        case TrapVector::FloatingPoint:
            return 6;
        case TrapVector::AlignmentCheck:
            return 14;
        case TrapVector::MachineCheck:
            return 28;
        case TrapVector::SimdFloatingPoint:
            return 29;
    }
    return 0;
}

}  // namespace skep::kernel::freebsd_abi
