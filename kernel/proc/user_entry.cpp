#include <kernel/proc/user_entry.hpp>

#include <kernel/abi/personality.hpp>
#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/arch/x86_64/percpu.hpp>
#include <kernel/base/log.hpp>
#include <kernel/mm/layout.hpp>
#include <kernel/proc/memory_pressure.hpp>
#include <kernel/proc/signal.hpp>
#include <kernel/sched/scheduler.hpp>

namespace skep::kernel {

namespace {

SignalInfo exception_info(const TrapFrame& frame, std::uint64_t address) {
    SignalInfo info{.signal = Signal::Segv, .cause = SignalCause::Kernel};
    info.trap = static_cast<std::uint32_t>(frame.vector);
    info.trap_error = static_cast<std::uint32_t>(frame.error);
    info.address = frame.rip;
    auto set = [&](Signal signal, SignalCause cause) {
        info.signal = signal;
        info.cause = cause;
    };
    switch (static_cast<TrapVector>(frame.vector)) {
        case TrapVector::DivideError:
            set(Signal::Fpe, SignalCause::IntegerDivide);
            break;
        case TrapVector::Debug:
            set(Signal::Trap, SignalCause::Trace);
            break;
        case TrapVector::Breakpoint:
            set(Signal::Trap, SignalCause::Breakpoint);
            break;
        case TrapVector::InvalidOpcode:
        case TrapVector::DeviceNotAvailable:
            set(Signal::Ill, SignalCause::IllegalOpcode);
            break;
        case TrapVector::AlignmentCheck:
            set(Signal::Bus, SignalCause::Misaligned);
            break;
        case TrapVector::FloatingPoint:
        case TrapVector::SimdFloatingPoint:
            set(Signal::Fpe, SignalCause::FloatInvalid);
            break;
        case TrapVector::PageFault:
            info.address = address;
            break;
        default:
            info.address = 0;
            break;
    }
    return info;
}

Result<> resolve(std::uint64_t address, std::uint64_t error) {
    FaultAccess access = FaultAccess::Read;
    if (error & kFaultWrite)
        access = FaultAccess::Write;
    else if (error & kFaultFetch)
        access = FaultAccess::Execute;
    const Thread& me = current_thread();
    if (!me.process || !me.process->map || error & kFaultReserved)
        return fail(Errno::Fault);
    // Without memory the access is tried again until some is there, unless this is the process that
    // has to make room.
    for (;;) {
        const Result<> resolved = me.process->map->fault(address, access);
        if (resolved || resolved.error() != Errno::NoMem || must_end(me) || !relieve_memory())
            return resolved;
    }
}

}  // namespace

bool resolve_user_fault(std::uint64_t address, std::uint64_t error) {
    return resolve(address, error).has_value();
}

void handle_user_exception(TrapFrame& frame, std::uint64_t address) {
    SignalInfo info = exception_info(frame, address);
    if (frame.vector == static_cast<std::uint64_t>(TrapVector::PageFault)) {
        const Result<> resolved = resolve(address, frame.error);
        if (resolved)
            return;
        switch (resolved.error()) {
            case Errno::Acces:
                info.cause = SignalCause::NoAccess;
                break;
            case Errno::Io:
                info.signal = Signal::Bus;
                info.cause = SignalCause::BadAddress;
                break;
            case Errno::NoMem:
                info.signal = Signal::Kill;
                break;
            default:
                info.cause = SignalCause::NotMapped;
                break;
        }
    }
    raise_exception(info);
}

void finish_user_entry(TrapFrame& frame) {
    for (;;) {
        Cpu& cpu = this_cpu();
        Thread& me = *cpu.thread;
        if (cpu.reschedule) {
            schedule();
        } else if (me.attention.load(std::memory_order_relaxed)) {
            enable_interrupts();
            deliver_signals(frame);
            disable_interrupts();
        } else if (me.restart == SyscallRestart::Wanted) {
            me.process->personality->restart_syscall(frame);
            me.restart = SyscallRestart::None;
        } else {
            break;
        }
    }
    // SYSRET to an address that is not canonical would fault in ring 0.
    if (frame.rip >= kUserEnd)
        frame.use_iret();
}

extern "C" void syscall_dispatch(TrapFrame* frame) {
    enable_interrupts();
    Thread& me = current_thread();
    const Personality& personality = *me.process->personality;
    std::uint64_t arguments[6];
    const std::uint64_t number = personality.syscall_number(*frame, arguments);
    const Syscall* call = personality.find_syscall(number);
    const Result<std::uint64_t> result =
        call ? call->handler(arguments) : unknown_syscall(personality, number);
    if (result || result.error() < Errno::Restart)
        personality.set_result(*frame, result);
    else if (result.error() == Errno::Restart)
        me.restart = SyscallRestart::Wanted;
    else if (result.error() == Errno::RestartAlways)
        personality.restart_syscall(*frame);
    disable_interrupts();
    finish_user_entry(*frame);
}

}  // namespace skep::kernel
