#include <kernel/abi/linux/signal_frame.hpp>
#include <kernel/abi/linux/signal_mask.hpp>
#include <kernel/abi/linux/signal_numbers.hpp>
#include <kernel/abi/linux/signalfd.hpp>
#include <kernel/abi/linux/tables.hpp>
#include <kernel/abi/linux/time.hpp>
#include <kernel/abi/signals.hpp>
#include <kernel/proc/signal.hpp>
#include <kernel/vfs/current.hpp>

#include <algorithm>

namespace skep::kernel::linux_abi {

namespace {

using Arguments = const std::uint64_t*;
using Returns = Result<std::uint64_t>;

struct LinuxSigAction {
    std::uint64_t handler, flags, restorer;
    LinuxSet mask;
};

// asm-generic/signal-defs.h
constexpr std::uint64_t kNoCldStop = 1, kNoCldWait = 2, kSigInfo = 4, kRestorer = 0x0400'0000,
                        kOnStack = 0x0800'0000, kRestart = 0x1000'0000, kNoDefer = 0x4000'0000,
                        kResetHand = 0x8000'0000;
struct FlagPair {
    std::uint64_t theirs;
    std::uint32_t ours;
};
constexpr FlagPair kFlags[] = {
    {kNoCldStop, SignalAction::kNoChildStop}, {kNoCldWait, SignalAction::kNoChildWait},
    {kSigInfo, SignalAction::kSigInfo},       {kOnStack, SignalAction::kOnStack},
    {kRestart, SignalAction::kRestart},       {kNoDefer, SignalAction::kNoDefer},
    {kResetHand, SignalAction::kResetHand},
};

Result<> check_set_size(std::uint64_t size) {
    if (size != sizeof(LinuxSet))
        return fail(Errno::Inval);
    return {};
}

Returns rt_sigaction(Arguments a) {
    SKEP_TRY(check_set_size(a[3]));
    SignalAction action, old;
    if (a[1]) {
        const auto in = SKEP_TRY(copy_in<LinuxSigAction>(a[1]));
        action.handler = in.handler;
        action.restorer = in.restorer;
        action.mask = from_linux_set(in.mask);
        for (const auto& [theirs, ours] : kFlags)
            if (in.flags & theirs)
                action.flags |= ours;
    }
    SKEP_TRY(set_signal_action(from_linux_signal(a[0]), a[1] ? &action : nullptr, &old));
    if (a[2]) {
        LinuxSigAction out{old.handler, kRestorer, old.restorer, to_linux_set(old.mask)};
        for (const auto& [theirs, ours] : kFlags)
            if (old.flags & ours)
                out.flags |= theirs;
        SKEP_TRY(copy_out(a[2], out));
    }
    return 0;
}

Returns rt_sigprocmask(Arguments a) {
    SKEP_TRY(check_set_size(a[3]));
    const SignalSet old = current_thread().signals.mask;
    if (a[1])
        SKEP_TRY(abi::change_signal_mask(abi::MaskChange{static_cast<std::uint32_t>(a[0])},
                                         from_linux_set(SKEP_TRY(copy_in<LinuxSet>(a[1])))));
    if (a[2])
        SKEP_TRY(copy_out(a[2], to_linux_set(old)));
    return 0;
}

Returns rt_sigreturn(Arguments) {
    if (!return_from_signal(current_thread().user_frame()))
        exit_process_by_signal(Signal::Segv);
    return fail(Errno::JustReturn);
}

Returns rt_sigpending(Arguments a) {
    if (a[1] > sizeof(LinuxSet))
        return fail(Errno::Inval);
    Thread& me = current_thread();
    LinuxSet set;
    {
        const SpinGuard guard(me.process->lock);
        set =
            to_linux_set((me.signals.pending.set() | me.process->pending.set()) & me.signals.mask);
    }
    SKEP_TRY(copy_out(a[0], &set, a[1]));
    return 0;
}

Returns rt_sigsuspend(Arguments a) {
    SKEP_TRY(check_set_size(a[1]));
    const auto set = SKEP_TRY(copy_in<LinuxSet>(a[0]));
    SKEP_TRY(signal_suspend(from_linux_set(set)));
    return 0;
}

Returns pause(Arguments) {
    SKEP_TRY(signal_suspend(current_thread().signals.mask));
    return 0;
}

Returns rt_sigtimedwait(Arguments a) {
    SKEP_TRY(check_set_size(a[3]));
    const auto set = SKEP_TRY(copy_in<LinuxSet>(a[0]));
    const Nanoseconds deadline = a[2] ? deadline_after(SKEP_TRY(copy_in_timespec(a[2]))) : kForever;
    const SignalInfo info =
        SKEP_TRY(wait_for_signal(from_linux_set(set) & ~kUnblockable, deadline));
    if (a[1])
        SKEP_TRY(copy_out(a[1], to_linux_info(info)));
    return to_linux_signal(info.signal);
}

// Signal 0 is allowed and only checks.
Result<Signal> signal_argument(std::uint64_t number) {
    const Signal signal = from_linux_signal(number & 0xffff'ffff);
    if (signal == Signal::None && number != 0)
        return fail(Errno::Inval);
    return signal;
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

Returns tkill(Arguments a) {
    const auto thread = static_cast<std::int32_t>(a[0]);
    if (thread <= 0)
        return fail(Errno::Inval);
    SKEP_TRY(kill_thread(0, thread, from_me(SKEP_TRY(signal_argument(a[1])), SignalCause::Thread)));
    return 0;
}

Returns tgkill(Arguments a) {
    const auto process = static_cast<std::int32_t>(a[0]), thread = static_cast<std::int32_t>(a[1]);
    if (process <= 0 || thread <= 0)
        return fail(Errno::Inval);
    SKEP_TRY(kill_thread(process, thread,
                         from_me(SKEP_TRY(signal_argument(a[2])), SignalCause::Thread)));
    return 0;
}

Result<SignalInfo> queued_info(std::uint64_t number, UserAddr at, std::int32_t target) {
    const Signal signal = SKEP_TRY(signal_argument(number));
    const auto info = SKEP_TRY(copy_in<LinuxSigInfo>(at));
    constexpr std::int32_t kTkill = -6;
    if ((info.code >= 0 || info.code == kTkill) && target != current_process().id)
        return fail(Errno::Perm);  // only the kernel's own signals say so
    return from_linux_info(info, signal);
}

Returns rt_sigqueueinfo(Arguments a) {
    const auto process = static_cast<std::int32_t>(a[0]);
    if (process <= 0)
        return fail(Errno::Srch);
    SKEP_TRY(skep::kernel::kill(process, SKEP_TRY(queued_info(a[1], a[2], process))));
    return 0;
}

Returns rt_tgsigqueueinfo(Arguments a) {
    const auto process = static_cast<std::int32_t>(a[0]), thread = static_cast<std::int32_t>(a[1]);
    if (process <= 0 || thread <= 0)
        return fail(Errno::Inval);
    SKEP_TRY(kill_thread(process, thread, SKEP_TRY(queued_info(a[2], a[3], process))));
    return 0;
}

Returns sigaltstack(Arguments a) {
    Thread& me = current_thread();
    const UserAddr sp = me.user_frame().rsp;
    const LinuxStack old = to_linux_stack(me.signals.stack, sp);
    if (a[0]) {
        const auto in = SKEP_TRY(copy_in<LinuxStack>(a[0]));
        constexpr std::uint64_t kMinSize = 2048;
        if (on_alternate_stack(me.signals.stack, sp))
            return fail(Errno::Perm);
        if (in.flags & ~(kStackOnStack | kStackDisable | kStackAutoDisarm))
            return fail(Errno::Inval);
        if (in.flags & kStackDisable)
            me.signals.stack = {};
        else if (in.size < kMinSize)
            return fail(Errno::NoMem);
        else
            me.signals.stack = {in.base, in.size, true, (in.flags & kStackAutoDisarm) != 0};
    }
    if (a[1])
        SKEP_TRY(copy_out(a[1], old));
    return 0;
}

// A descriptor of -1 makes a new one, else the mask of an old one changes.
Returns signalfd4(Arguments a) {
    constexpr std::uint64_t kCloseOnExec = 02000000, kNonblock = 04000;
    if (a[2] != sizeof(LinuxSet) || (a[3] & ~(kCloseOnExec | kNonblock)))
        return fail(Errno::Inval);
    SignalSet set = from_linux_set(SKEP_TRY(copy_in<LinuxSet>(a[1])));
    set = set & ~kUnblockable;
    if (static_cast<std::int32_t>(a[0]) != -1) {
        const Ref<File> file =
            SKEP_TRY(current_descriptors().get(static_cast<std::uint32_t>(a[0])));
        if (!file->signalfd())
            return fail(Errno::Inval);
        file->signalfd()->set_mask(set);
        return a[0];
    }
    Ref<SignalFd> file = SKEP_TRY(make_ref<SignalFd>(set, SKEP_TRY(process_sources(0)),
                                                     a[3] & kNonblock ? kOpenNonblock : 0));
    return current_descriptors().add(std::move(file), a[3] & kCloseOnExec,
                                     current_descriptor_limit());
}

Returns signalfd(Arguments a) {
    const std::uint64_t arguments[] = {a[0], a[1], a[2], 0};
    return signalfd4(arguments);
}

constexpr Syscall kCalls[] = {
    {13, "rt_sigaction", 4, rt_sigaction},
    {282, "signalfd", 3, signalfd},
    {289, "signalfd4", 4, signalfd4},
    {14, "rt_sigprocmask", 4, rt_sigprocmask},
    {15, "rt_sigreturn", 0, rt_sigreturn},
    {34, "pause", 0, pause},
    {62, "kill", 2, kill},
    {127, "rt_sigpending", 2, rt_sigpending},
    {128, "rt_sigtimedwait", 4, rt_sigtimedwait},
    {129, "rt_sigqueueinfo", 3, rt_sigqueueinfo},
    {130, "rt_sigsuspend", 2, rt_sigsuspend},
    {131, "sigaltstack", 2, sigaltstack},
    {200, "tkill", 2, tkill},
    {234, "tgkill", 3, tgkill},
    {297, "rt_tgsigqueueinfo", 4, rt_tgsigqueueinfo},
};

}  // namespace

Result<> use_signal_mask(UserAddr address, std::uint64_t size) {
    if (!address)
        return {};
    SKEP_TRY(check_set_size(size));
    set_temporary_mask(from_linux_set(SKEP_TRY(copy_in<LinuxSet>(address))));
    return {};
}

const std::span<const Syscall> signal_calls = kCalls;

}  // namespace skep::kernel::linux_abi
