// Who a process is: ids, users, groups, sessions.
#include <kernel/abi/linux/tables.hpp>
#include <kernel/proc/credentials.hpp>

namespace skep::kernel::linux_abi {

namespace {

using Arguments = const std::uint64_t*;
using Returns = Result<std::uint64_t>;

Returns getpid(Arguments) {
    return static_cast<std::uint64_t>(current_process().id);
}
Returns gettid(Arguments) {
    return static_cast<std::uint64_t>(current_thread().id);
}
Returns getppid(Arguments) {
    const SpinGuard guard(process_lock);
    const Process* parent = current_process().parent;
    return static_cast<std::uint64_t>(parent ? parent->id : 0);
}

// 0: the caller. Srch.
Result<Process*> named(std::uint64_t id) {
    Process* p = id ? find_process(static_cast<std::int32_t>(id)) : &current_process();
    if (!p)
        return fail(Errno::Srch);
    return p;
}
Returns getpgid(Arguments a) {
    const SpinGuard guard(process_lock);
    return static_cast<std::uint64_t>(SKEP_TRY(named(a[0]))->group->id);
}
Returns getpgrp(Arguments) {
    const SpinGuard guard(process_lock);
    return static_cast<std::uint64_t>(current_process().group->id);
}
Returns getsid(Arguments a) {
    const SpinGuard guard(process_lock);
    return static_cast<std::uint64_t>(SKEP_TRY(named(a[0]))->group->session->id);
}
Returns setpgid(Arguments a) {
    SKEP_TRY(set_process_group(static_cast<std::int32_t>(a[0]), static_cast<std::int32_t>(a[1])));
    return 0;
}
Returns setsid(Arguments) {
    return static_cast<std::uint64_t>(SKEP_TRY(create_session()));
}

template <std::uint32_t Credentials::*Field>
Returns get(Arguments) {
    return current_process().credentials.*Field;
}

std::uint32_t id(std::uint64_t argument) {
    return static_cast<std::uint32_t>(argument);
}
Returns done(const Result<>& result) {
    if (!result)
        return fail(result.error());
    return 0;
}

Returns setuid(Arguments a) {
    return done(become_user(id(a[0])));
}
Returns setgid(Arguments a) {
    return done(become_group(id(a[0])));
}
// The saved id follows the effective one.
Returns setreuid(Arguments a) {
    return done(change_user_ids({id(a[0]), id(a[1]), id(a[1])}));
}
Returns setregid(Arguments a) {
    return done(change_group_ids({id(a[0]), id(a[1]), id(a[1])}));
}
Returns setresuid(Arguments a) {
    return done(change_user_ids({id(a[0]), id(a[1]), id(a[2])}));
}
Returns setresgid(Arguments a) {
    return done(change_group_ids({id(a[0]), id(a[1]), id(a[2])}));
}
Returns getresuid(Arguments a) {
    const Credentials c = current_process().credentials;
    SKEP_TRY(copy_out(a[0], c.real_user));
    SKEP_TRY(copy_out(a[1], c.effective_user));
    SKEP_TRY(copy_out(a[2], c.saved_user));
    return 0;
}
Returns getresgid(Arguments a) {
    const Credentials c = current_process().credentials;
    SKEP_TRY(copy_out(a[0], c.real_group));
    SKEP_TRY(copy_out(a[1], c.effective_group));
    SKEP_TRY(copy_out(a[2], c.saved_group));
    return 0;
}
// There are no separate file-system ids: they are the effective ones.
Returns setfsuid(Arguments) {
    return current_process().credentials.effective_user;
}
Returns setfsgid(Arguments) {
    return current_process().credentials.effective_group;
}

Returns getgroups(Arguments a) {
    const Credentials c = current_process().credentials;
    if (a[0] == 0)
        return c.group_count;
    if (static_cast<std::uint32_t>(a[0]) < c.group_count)
        return fail(Errno::Inval);
    SKEP_TRY(copy_out(a[1], c.groups.data(), c.group_count * sizeof c.groups[0]));
    return c.group_count;
}
Returns setgroups(Arguments a) {
    decltype(Credentials::groups) groups{};
    if (a[0] > groups.size())
        return fail(Errno::Inval);
    SKEP_TRY(copy_in(groups.data(), a[1], a[0] * sizeof groups[0]));
    return done(set_supplementary_groups(std::span(groups).first(a[0])));
}

// linux/capability.h: root has all, others none; they cannot be divided.
struct CapabilityHeader {
    std::uint32_t version;
    std::int32_t process;
};
Returns capget(Arguments a) {
    constexpr std::uint32_t kVersion3 = 0x20080522;
    const auto header = SKEP_TRY(copy_in<CapabilityHeader>(a[0]));
    if (header.version != kVersion3) {
        SKEP_TRY(copy_out(a[0], kVersion3));
        return a[1] ? Returns(fail(Errno::Inval)) : Returns(0);
    }
    if (!a[1])
        return 0;
    const bool root = current_process().credentials.effective_user == 0;
    constexpr std::uint32_t kHigh = 0x1ff;  // capabilities 32..40
    const std::uint32_t low = root ? ~0u : 0, high = root ? kHigh : 0;
    const std::uint32_t sets[6] = {low, low, 0, high, high, 0};
    SKEP_TRY(copy_out(a[1], &sets, sizeof sets));
    return 0;
}
Returns capset(Arguments) {
    if (current_process().credentials.effective_user != 0)
        return fail(Errno::Perm);
    return 0;
}

constexpr Syscall kCalls[] = {
    {39, "getpid", 0, getpid},
    {102, "getuid", 0, get<&Credentials::real_user>},
    {104, "getgid", 0, get<&Credentials::real_group>},
    {105, "setuid", 1, setuid},
    {106, "setgid", 1, setgid},
    {107, "geteuid", 0, get<&Credentials::effective_user>},
    {108, "getegid", 0, get<&Credentials::effective_group>},
    {109, "setpgid", 2, setpgid},
    {110, "getppid", 0, getppid},
    {111, "getpgrp", 0, getpgrp},
    {112, "setsid", 0, setsid},
    {113, "setreuid", 2, setreuid},
    {114, "setregid", 2, setregid},
    {115, "getgroups", 2, getgroups},
    {116, "setgroups", 2, setgroups, SyscallStatus::Partial, "32 groups at most"},
    {117, "setresuid", 3, setresuid},
    {118, "getresuid", 3, getresuid},
    {119, "setresgid", 3, setresgid},
    {120, "getresgid", 3, getresgid},
    {121, "getpgid", 1, getpgid},
    {122, "setfsuid", 1, setfsuid, SyscallStatus::Partial,
     "the file-system id is always the effective one"},
    {123, "setfsgid", 1, setfsgid, SyscallStatus::Partial,
     "the file-system id is always the effective one"},
    {124, "getsid", 1, getsid},
    {125, "capget", 2, capget, SyscallStatus::Partial, "root has all capabilities, others none"},
    {126, "capset", 2, capset, SyscallStatus::Ignored, "capabilities cannot be divided"},
    {186, "gettid", 0, gettid},
};

}  // namespace

const std::span<const Syscall> identity_calls = kCalls;

}  // namespace skep::kernel::linux_abi
