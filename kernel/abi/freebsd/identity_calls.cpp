// Who a process is: ids, users, groups, sessions.
#include <kernel/abi/freebsd/tables.hpp>
#include <kernel/proc/credentials.hpp>

#include <algorithm>
#include <array>
#include <cstring>

namespace skep::kernel::freebsd_abi {

namespace {

Returns getpid(Arguments) {
    return static_cast<std::uint64_t>(current_process().id);
}
Returns getppid(Arguments) {
    const SpinGuard guard(process_lock);
    const Process* parent = current_process().parent;
    return static_cast<std::uint64_t>(parent ? parent->id : 0);
}

// 0: the caller. With process_lock held.
Result<Process*> named(std::uint64_t id) {
    Process* p = static_cast<std::int32_t>(id) ? find_process(static_cast<std::int32_t>(id))
                                               : &current_process();
    if (!p || !p->group)
        return fail(Errno::Srch);
    return p;
}
Returns getpgid(Arguments a) {
    const SpinGuard guard(process_lock);
    return static_cast<std::uint64_t>(SKEP_TRY(named(a[0]))->group->id);
}
Returns getpgrp(Arguments) {
    constexpr std::uint64_t kSelf = 0;
    return getpgid(&kSelf);
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
Returns setuid(Arguments a) {
    return done(become_user(id(a[0])));
}
Returns setgid(Arguments a) {
    return done(become_group(id(a[0])));
}
Returns seteuid(Arguments a) {
    return done(change_user_ids({.effective = id(a[0])}));
}
Returns setegid(Arguments a) {
    return done(change_group_ids({.effective = id(a[0])}));
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

Returns put_three(Arguments a, std::uint32_t real, std::uint32_t effective, std::uint32_t saved) {
    if (a[0])
        SKEP_TRY(copy_out(a[0], real));
    if (a[1])
        SKEP_TRY(copy_out(a[1], effective));
    if (a[2])
        SKEP_TRY(copy_out(a[2], saved));
    return 0;
}
Returns getresuid(Arguments a) {
    const Credentials c = current_process().credentials;
    return put_three(a, c.real_user, c.effective_user, c.saved_user);
}
Returns getresgid(Arguments a) {
    const Credentials c = current_process().credentials;
    return put_three(a, c.real_group, c.effective_group, c.saved_group);
}

// The first group of the set is the effective one.
Returns getgroups(Arguments a) {
    const Credentials c = current_process().credentials;
    std::array<std::uint32_t, 1 + std::tuple_size_v<decltype(c.groups)>> groups{c.effective_group};
    std::copy_n(c.groups.begin(), c.group_count, groups.begin() + 1);
    const std::uint32_t count = 1 + c.group_count, capacity = static_cast<std::uint32_t>(a[0]);
    if (capacity == 0)
        return count;
    if (capacity < count)
        return fail(Errno::Inval);
    SKEP_TRY(copy_out(a[1], groups.data(), count * sizeof groups[0]));
    return count;
}
Returns setgroups(Arguments a) {
    std::array<std::uint32_t, 1 + std::tuple_size_v<decltype(Credentials::groups)>> groups{};
    const std::uint32_t count = static_cast<std::uint32_t>(a[0]);
    if (count > groups.size())
        return fail(Errno::Inval);
    SKEP_TRY(copy_in(groups.data(), a[1], count * sizeof groups[0]));
    if (count == 0)
        return done(set_supplementary_groups({}));
    SKEP_TRY(set_supplementary_groups(std::span(groups).subspan(1, count - 1)));
    return done(change_group_ids({.effective = groups[0]}));
}

// --- login names, of sessions, and classes, of processes ---

Returns put_name(UserAddr to, std::uint64_t capacity, std::string_view name, Errno too_small) {
    if (capacity <= name.size())
        return fail(too_small);
    SKEP_TRY(copy_out(to, name.data(), name.size()));
    SKEP_TRY(copy_out(to + name.size(), '\0'));
    return 0;
}

// Of the superuser only. `too_long`: what a name that does not fit is called.
Result<> name_argument(UserAddr from, std::span<char> to, Errno too_long) {
    if (current_process().credentials.effective_user != 0)
        return fail(Errno::Perm);
    std::ranges::fill(to, '\0');
    if (const auto length = copy_in_string(to.data(), from, to.size()); !length)
        return fail(length.error() == Errno::NameTooLong ? too_long : length.error());
    return {};
}

Returns getlogin(Arguments a) {
    char name[kLoginNameSize];
    {
        const SpinGuard guard(process_lock);
        std::ranges::copy(current_process().group->session->login, name);
    }
    return put_name(a[0], static_cast<std::uint32_t>(a[1]), name, Errno::Range);
}
Returns setlogin(Arguments a) {
    char name[kLoginNameSize];
    SKEP_TRY(name_argument(a[0], name, Errno::Inval));
    const SpinGuard guard(process_lock);
    std::ranges::copy(name, current_process().group->session->login);
    return 0;
}

Returns getloginclass(Arguments a) {
    const Credentials c = current_process().credentials;
    return put_name(a[0], a[1], c.login_class.data(), Errno::NameTooLong);
}
Returns setloginclass(Arguments a) {
    decltype(Credentials::login_class) name;
    SKEP_TRY(name_argument(a[0], name, Errno::NameTooLong));
    Process& me = current_process();
    const SpinGuard guard(me.lock);
    me.credentials.login_class = name;
    return 0;
}

// Nothing here is set-id.
Returns issetugid(Arguments) {
    const Credentials c = current_process().credentials;
    return c.real_user != c.effective_user || c.real_group != c.effective_group;
}

constexpr Syscall kCalls[] = {
    {20, "getpid", 0, getpid},
    {23, "setuid", 1, setuid},
    {24, "getuid", 0, get<&Credentials::real_user>},
    {25, "geteuid", 0, get<&Credentials::effective_user>},
    {39, "getppid", 0, getppid},
    {43, "getegid", 0, get<&Credentials::effective_group>},
    {47, "getgid", 0, get<&Credentials::real_group>},
    {49, "getlogin", 2, getlogin},
    {50, "setlogin", 1, setlogin},
    {79, "getgroups", 2, getgroups},
    {80, "setgroups", 2, setgroups, SyscallStatus::Partial, "33 groups at most"},
    {81, "getpgrp", 0, getpgrp},
    {82, "setpgid", 2, setpgid},
    {126, "setreuid", 2, setreuid},
    {127, "setregid", 2, setregid},
    {147, "setsid", 0, setsid},
    {181, "setgid", 1, setgid},
    {182, "setegid", 1, setegid},
    {183, "seteuid", 1, seteuid},
    {207, "getpgid", 1, getpgid},
    {253, "issetugid", 0, issetugid},
    {310, "getsid", 1, getsid},
    {311, "setresuid", 3, setresuid},
    {312, "setresgid", 3, setresgid},
    {360, "getresuid", 3, getresuid},
    {361, "getresgid", 3, getresgid},
    {523, "getloginclass", 2, getloginclass},
    {524, "setloginclass", 1, setloginclass},
};

}  // namespace

const std::span<const Syscall> identity_calls = kCalls;

}  // namespace skep::kernel::freebsd_abi
