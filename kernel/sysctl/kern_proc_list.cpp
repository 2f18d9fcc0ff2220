// kern.proc.*: lists of processes and threads as struct kinfo_proc. sys/sysctl.h, KERN_PROC_*.
#include <kernel/abi/freebsd/file_types.hpp>
#include <kernel/abi/freebsd/signal_types.hpp>
#include <kernel/abi/personality.hpp>
#include <kernel/dev/tty/tty.hpp>
#include <kernel/proc/process.hpp>
#include <kernel/sysctl/kern_proc_list.hpp>
#include <kernel/sysctl/kinfo_proc.hpp>

#include <algorithm>
#include <cstring>
#include <optional>

namespace skep::kernel::sysctl {

namespace {

constexpr std::int64_t kMicrosecond = 1000, kSecond = 1'000'000'000;

void put_time(std::int64_t (&to)[2], std::int64_t nanoseconds) {
    to[0] = nanoseconds / kSecond;
    to[1] = nanoseconds % kSecond / kMicrosecond;
}

void put_set(std::uint32_t (&to)[4], const SignalSet& set) {
    const auto words = freebsd_abi::to_bsd_set(set);
    std::memcpy(to, words.words, sizeof to);
}

template <std::size_t N>
void put_name(char (&to)[N], std::string_view from) {
    from.substr(0, N - 1).copy(to, N - 1);
}

KinfoState state_of(const Process& p, const Thread* t) {
    if (p.state == ProcessState::Zombie)
        return KinfoState::Zombie;
    if (p.stopped)
        return KinfoState::Stop;
    const bool sleeps = t && t->state.load(std::memory_order_relaxed) == ThreadState::Sleeping;
    return sleeps ? KinfoState::Sleep : KinfoState::Run;
}

void put_identity(KinfoProc& k, const Process& p) {
    k.process = p.id;
    k.parent = p.parent ? p.parent->id : 0;
    if (p.group) {
        k.group = p.group->id;
        k.session = p.group->session->id;
        put_name(k.login, p.group->session->login);
        k.kernel_flags = k.session == p.id ? kSessionLeader : 0;
    }
    const Credentials& c = p.credentials;
    k.effective_user = c.effective_user;
    k.real_user = c.real_user;
    k.saved_user = c.saved_user;
    k.real_group = c.real_group;
    k.saved_group = c.saved_group;
    k.groups[0] = c.effective_group;  // as FreeBSD keeps it
    const std::size_t more = std::min<std::size_t>(c.group_count, std::size(k.groups) - 1);
    std::copy_n(c.groups.begin(), more, k.groups + 1);
    k.group_count = static_cast<std::int16_t>(more + 1);
}

void put_signals(KinfoProc& k, const Process& p, const Thread* t) {
    SignalSet ignored, caught;
    for (unsigned n = 1; n < kSignals; n++) {
        const UserAddr handler = p.actions[n].handler;
        if (handler == kSignalIgnore)
            ignored.add(static_cast<Signal>(n));
        else if (handler != kSignalDefault)
            caught.add(static_cast<Signal>(n));
    }
    put_set(k.ignored, ignored);
    put_set(k.caught, caught);
    if (t) {
        put_set(k.mask, t->signals.mask);
        put_set(k.pending, p.pending.set() | t->signals.pending.set());
    }
}

void put_thread(KinfoProc& k, const Thread* t) {
    constexpr std::uint8_t kTimeSharing = 3, kUserPriority = 120;
    k.priority[0] = kTimeSharing;
    std::fill_n(k.priority + 1, 3, kUserPriority);
    k.cpu = k.last_cpu = -1;
    if (!t)
        return;
    k.thread = t->id;
    k.last_cpu = static_cast<std::int32_t>(t->cpu.load(std::memory_order_relaxed));
    if (t->on_cpu.load(std::memory_order_relaxed))
        k.cpu = k.last_cpu;
    k.old_cpu = k.old_last_cpu = static_cast<std::uint8_t>(k.last_cpu);
    k.nice = t->nice;
    put_name(k.thread_name, {t->command, strnlen(t->command, sizeof t->command)});
}

// With process_lock and the process's lock held. `t`: whose state it shows; null for a zombie.
KinfoProc describe(const Process& p, const Thread* t, Nanoseconds run_time) {
    KinfoProc k{};
    k.size = sizeof k;
    put_identity(k, p);
    put_signals(k, p, t);
    put_thread(k, t);
    if (p.map) {
        k.mapped_bytes = p.map->mapped_bytes();
        k.resident_pages = k.resident_before_swap =
            static_cast<std::int64_t>(p.map->resident_pages());
    }
    k.exit_status = static_cast<std::uint16_t>(p.exit_signal_taken != Signal::None
                                                   ? static_cast<std::int32_t>(p.exit_signal_taken)
                                                   : (p.exit_code & 0xff) << 8);
    k.run_microseconds = run_time / kMicrosecond;
    put_time(k.start, realtime_now() - static_cast<std::int64_t>(monotonic_now() - p.started));
    put_time(k.children_time, static_cast<std::int64_t>(p.children_time));
    put_time(k.usage.user, static_cast<std::int64_t>(run_time));
    put_time(k.children_usage.user, static_cast<std::int64_t>(p.children_time));
    k.usage.max_resident = k.resident_pages * static_cast<std::int64_t>(kPageSize / 1024);
    k.flags = kProcessInMemory | (p.executed ? kProcessExecuted : 0);
    k.state = static_cast<std::int8_t>(state_of(p, t));
    if (state_of(p, t) == KinfoState::Sleep)
        k.thread_flags = kThreadInterruptible;  // else ps(1) shows D
    k.thread_count = static_cast<std::int32_t>(p.thread_count);
    put_name(k.command, {p.command, strnlen(p.command, sizeof p.command)});
    put_name(k.emulation, p.personality ? p.personality->name : "");
    put_name(k.login_class, p.credentials.login_class.data());
    return k;
}

Result<> put_process(Process& p, bool threads, Value& out) {
    const SpinGuard guard(p.lock);
    const Nanoseconds now = monotonic_now();
    Nanoseconds total = p.dead_threads_time;
    for (const Thread& t : p.threads)
        total += t.cpu_time.total(now);
    if (p.state == ProcessState::Zombie || p.threads.empty())
        return out.put(describe(p, nullptr, total));
    for (const Thread& t : p.threads) {
        SKEP_TRY(out.put(describe(p, &t, threads ? t.cpu_time.total(now) : total)));
        if (!threads)
            break;
    }
    return {};
}

bool matches(const Process& p, By by, std::int32_t id) {
    const auto number = static_cast<std::uint32_t>(id);
    switch (by) {
        case By::All:
        case By::Processes:
            return true;
        case By::Process:
            return p.id == id;
        case By::Group:
            return p.group && p.group->id == id;
        case By::Session:
            return p.group && p.group->session->id == id;
        case By::User:
            return p.credentials.effective_user == number;
        case By::RealUser:
            return p.credentials.real_user == number;
        case By::RealGroup:
            return p.credentials.real_group == number;
        case By::EffectiveGroup:
            return p.credentials.effective_group == number;
        case By::Terminal:
            return p.group != nullptr;  // put_terminals() chooses
    }
    return false;
}

// Terminals are asked after the processes, whose locks come after theirs. `only`: the others are
// left out.
void put_terminals(Vector<std::byte>& records, std::optional<std::int32_t> only) {
    std::size_t kept = 0;
    for (std::size_t at = 0; at < records.size(); at += sizeof(KinfoProc)) {
        KinfoProc k;
        std::memcpy(&k, records.data() + at, sizeof k);
        const auto terminal = Tty::controlling_of(k.session);
        k.terminal =
            terminal && terminal->device ? freebsd_abi::encode_device(terminal->device) : kNoDevice;
        k.terminal_freebsd11 = static_cast<std::uint32_t>(k.terminal);
        k.terminal_group = terminal ? terminal->foreground : -1;
        if (terminal) {
            k.terminal_session = k.session;
            k.flags |= kProcessHasTerminal;
            k.kernel_flags |= kTerminalActive;
        }
        if (only && (!terminal || static_cast<std::int32_t>(k.terminal) != *only))
            continue;
        std::memcpy(records.data() + kept, &k, sizeof k);
        kept += sizeof k;
    }
    (void)records.resize(kept);
}

}  // namespace

Result<> put_processes(By by, bool threads, Numbers rest, Value& out) {
    const bool every = by == By::All || by == By::Processes;
    if (rest.size() > 1 || (!every && rest.empty()))
        return fail(Errno::Inval);
    const std::int32_t id = rest.empty() ? 0 : rest[0];
    {
        const SpinGuard guard(process_lock);
        for (Process& p : all_processes)
            if (matches(p, by, id))
                SKEP_TRY(put_process(p, threads, out));
    }
    constexpr std::size_t kNewcomers = 5;  // as FreeBSD allows for
    out.slack = by == By::Process ? 0 : kNewcomers * sizeof(KinfoProc);
    put_terminals(out.storage(), by == By::Terminal ? std::optional(id) : std::nullopt);
    if (by == By::Process && out.bytes().empty())
        return fail(Errno::Srch);
    return {};
}

}  // namespace skep::kernel::sysctl
