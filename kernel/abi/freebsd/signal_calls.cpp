// FreeBSD calls on signals: sys/signal.h, sys/signalvar.h.
#include <kernel/abi/freebsd/signal_frame.hpp>
#include <kernel/abi/freebsd/tables.hpp>
#include <kernel/abi/signals.hpp>
#include <kernel/abi/time.hpp>
#include <kernel/proc/signal.hpp>

#include <limits>

namespace skep::kernel::freebsd_abi {

namespace {

constexpr std::uint32_t kActionFlags = 0x7f;  // SA_*: SignalAction::Flag has the same bits

// Signal 0 is allowed and only checks.
Result<Signal> signal_argument(std::uint64_t number) {
    const auto n = static_cast<std::uint32_t>(number);
    if (n >= kSignals)
        return fail(Errno::Inval);
    return static_cast<Signal>(n);
}

Returns sigaction(Arguments a) {
    const Signal signal = SKEP_TRY(signal_argument(a[0]));
    SignalAction action, old;
    if (a[1]) {
        const auto in = SKEP_TRY(copy_in<BsdSignalAction>(a[1]));
        action.handler = in.handler;
        action.flags = static_cast<std::uint32_t>(in.flags) & kActionFlags;
        action.mask = from_bsd_set(in.mask);
    }
    SKEP_TRY(set_signal_action(signal, a[1] ? &action : nullptr, &old));
    if (a[2])
        SKEP_TRY(copy_out(
            a[2], BsdSignalAction{old.handler, static_cast<std::int32_t>(old.flags & kActionFlags),
                                  to_bsd_set(old.mask), 0}));
    return 0;
}

Returns sigprocmask(Arguments a) {
    const SignalSet old = current_thread().signals.mask;
    constexpr std::uint32_t kBlock = 1;  // SIG_BLOCK
    if (a[1])
        SKEP_TRY(abi::change_signal_mask(abi::MaskChange{static_cast<std::uint32_t>(a[0]) - kBlock},
                                         from_bsd_set(SKEP_TRY(copy_in<BsdSignalSet>(a[1])))));
    if (a[2])
        SKEP_TRY(copy_out(a[2], to_bsd_set(old)));
    return 0;
}

Returns sigreturn(Arguments a) {
    SKEP_TRY(restore_context(current_thread().user_frame(), a[0]));
    return fail(Errno::JustReturn);
}

Returns getcontext(Arguments a) {
    SKEP_TRY(save_context(current_thread().user_frame(), a[0]));
    return 0;
}

Returns swapcontext(Arguments a) {
    SKEP_TRY(save_context(current_thread().user_frame(), a[0]));
    SKEP_TRY(restore_context(current_thread().user_frame(), a[1]));
    return fail(Errno::JustReturn);
}

Returns sigpending(Arguments a) {
    Thread& me = current_thread();
    BsdSignalSet set;
    {
        const SpinGuard guard(me.process->lock);
        set = to_bsd_set((me.signals.pending.set() | me.process->pending.set()) & me.signals.mask);
    }
    SKEP_TRY(copy_out(a[0], set));
    return 0;
}

Returns sigsuspend(Arguments a) {
    const auto set = SKEP_TRY(copy_in<BsdSignalSet>(a[0]));
    SKEP_TRY(signal_suspend(from_bsd_set(set)));
    return 0;
}

Result<SignalInfo> wait_for(UserAddr set, Nanoseconds deadline) {
    return wait_for_signal(from_bsd_set(SKEP_TRY(copy_in<BsdSignalSet>(set))) & ~kUnblockable,
                           deadline);
}

Returns sigtimedwait(Arguments a) {
    const Nanoseconds deadline =
        a[2] ? abi::deadline_after(SKEP_TRY(abi::copy_in_timespec(a[2]))) : kForever;
    const SignalInfo info = SKEP_TRY(wait_for(a[0], deadline));
    if (a[1])
        SKEP_TRY(copy_out(a[1], to_bsd_info(info)));
    return static_cast<std::uint64_t>(info.signal);
}

Returns sigwaitinfo(Arguments a) {
    const std::uint64_t arguments[] = {a[0], a[1], 0};
    return sigtimedwait(arguments);
}

// sigwait(2) tells its error as its result.
Returns sigwait(Arguments a) {
    const auto info = wait_for(a[0], kForever);
    if (!info && info.error() == Errno::Intr)
        return fail(Errno::Restart);
    if (!info)
        return static_cast<std::uint64_t>(info.error());
    if (auto told = copy_out(a[1], static_cast<std::int32_t>(info->signal)); !told)
        return static_cast<std::uint64_t>(told.error());
    return 0;
}

SignalInfo from_me(Signal signal, SignalCause cause) {
    const Process& me = current_process();
    return {.signal = signal, .cause = cause, .process = me.id, .user = me.credentials.real_user};
}

Returns kill(Arguments a) {
    const Signal signal = SKEP_TRY(signal_argument(a[1]));
    SKEP_TRY(
        skep::kernel::kill(static_cast<std::int32_t>(a[0]), from_me(signal, SignalCause::User)));
    return 0;
}

// All threads but the caller: id -1.
Result<> kill_threads(std::int32_t process, std::int64_t id, std::uint64_t number) {
    const SignalInfo info = from_me(SKEP_TRY(signal_argument(number)), SignalCause::Thread);
    if (id != -1) {
        if (id <= 0 || id > std::numeric_limits<std::int32_t>::max())
            return fail(Errno::Srch);
        return kill_thread(process, static_cast<std::int32_t>(id), info);
    }
    if (process != current_process().id)
        return fail(Errno::OpNotSupp);
    Vector<std::int32_t> ids;
    {
        const SpinGuard guard(current_process().lock);
        for (const Thread& t : current_process().threads)
            if (&t != &current_thread())
                SKEP_TRY(ids.push_back(t.id));
    }
    if (ids.empty())
        return fail(Errno::Srch);
    for (const std::int32_t thread : ids)
        (void)kill_thread(process, thread, info);
    return {};
}

Returns thr_kill(Arguments a) {
    SKEP_TRY(kill_threads(current_process().id, static_cast<std::int64_t>(a[0]), a[1]));
    return 0;
}

Returns thr_kill2(Arguments a) {
    SKEP_TRY(kill_threads(static_cast<std::int32_t>(a[0]), static_cast<std::int64_t>(a[1]), a[2]));
    return 0;
}

Returns sigqueue(Arguments a) {
    const auto process = static_cast<std::int32_t>(a[0]);
    if (process <= 0)
        return fail(Errno::Inval);
    SignalInfo info = from_me(SKEP_TRY(signal_argument(a[1])), SignalCause::Queue);
    info.value = a[2];
    info.raw_code = -1;  // Linux's SI_QUEUE, should the receiver be one of its programs
    SKEP_TRY(skep::kernel::kill(process, info));
    return 0;
}

Returns sigaltstack(Arguments a) {
    Thread& me = current_thread();
    const UserAddr sp = me.user_frame().rsp;
    const BsdStack old = to_bsd_stack(me.signals.stack, sp);
    if (a[0]) {
        const auto in = SKEP_TRY(copy_in<BsdStack>(a[0]));
        if (on_alternate_stack(me.signals.stack, sp))
            return fail(Errno::Perm);
        if (in.flags & ~kStackDisable)
            return fail(Errno::Inval);
        if (in.flags & kStackDisable)
            me.signals.stack = {};
        else if (in.size < kMinStackSize)
            return fail(Errno::NoMem);
        else
            me.signals.stack = {.base = in.base, .size = in.size, .enabled = true};
    }
    if (a[1])
        SKEP_TRY(copy_out(a[1], old));
    return 0;
}

constexpr Syscall kCalls[] = {
    {37, "kill", 2, kill},
    {53, "sigaltstack", 2, sigaltstack},
    {340, "sigprocmask", 3, sigprocmask},
    {341, "sigsuspend", 1, sigsuspend},
    {343, "sigpending", 1, sigpending},
    {345, "sigtimedwait", 3, sigtimedwait},
    {346, "sigwaitinfo", 2, sigwaitinfo},
    {416, "sigaction", 3, sigaction},
    {417, "sigreturn", 1, sigreturn},
    {421, "getcontext", 1, getcontext},
    {422, "setcontext", 1, sigreturn},
    {423, "swapcontext", 2, swapcontext},
    {429, "sigwait", 2, sigwait},
    {433, "thr_kill", 2, thr_kill},
    {456, "sigqueue", 3, sigqueue},
    {481, "thr_kill2", 3, thr_kill2, SyscallStatus::Partial,
     "all threads (-1) of the own process only"},
};

}  // namespace

const std::span<const Syscall> signal_calls = kCalls;

}  // namespace skep::kernel::freebsd_abi
