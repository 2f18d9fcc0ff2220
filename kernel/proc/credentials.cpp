#include <kernel/proc/credentials.hpp>

#include <algorithm>
#include <cstring>

namespace skep::kernel {

namespace {

Result<> change(std::uint32_t& real, std::uint32_t& effective, std::uint32_t& saved,
                const IdChange& want, bool privileged) {
    auto allowed = [&](std::uint32_t id) {
        return privileged || id == kKeepId || id == real || id == effective || id == saved;
    };
    if (!allowed(want.real) || !allowed(want.effective) || !allowed(want.saved))
        return fail(Errno::Perm);
    if (want.real != kKeepId)
        real = want.real;
    if (want.effective != kKeepId)
        effective = want.effective;
    if (want.saved != kKeepId)
        saved = want.saved;
    return {};
}

bool superuser() {
    return current_process().credentials.effective_user == 0;
}

SpinLock host_name_lock("host name");
char host_name[kHostNameSize] = "skep";

}  // namespace

Result<> change_user_ids(const IdChange& want) {
    Process& p = current_process();
    const SpinGuard guard(p.lock);
    Credentials& c = p.credentials;
    return change(c.real_user, c.effective_user, c.saved_user, want, c.effective_user == 0);
}

Result<> change_group_ids(const IdChange& want) {
    Process& p = current_process();
    const SpinGuard guard(p.lock);
    Credentials& c = p.credentials;
    return change(c.real_group, c.effective_group, c.saved_group, want, c.effective_user == 0);
}

Result<> become_user(std::uint32_t id) {
    return change_user_ids(superuser() ? IdChange{id, id, id} : IdChange{.effective = id});
}

Result<> become_group(std::uint32_t id) {
    return change_group_ids(superuser() ? IdChange{id, id, id} : IdChange{.effective = id});
}

Result<> set_supplementary_groups(std::span<const std::uint32_t> groups) {
    Process& p = current_process();
    if (!superuser())
        return fail(Errno::Perm);
    if (groups.size() > p.credentials.groups.size())
        return fail(Errno::Inval);
    const SpinGuard guard(p.lock);
    std::ranges::copy(groups, p.credentials.groups.begin());
    p.credentials.group_count = static_cast<std::uint32_t>(groups.size());
    return {};
}

Result<ResourceLimit> change_limit(Process& p, Limit which, const ResourceLimit* wanted) {
    const bool privileged = superuser();
    const SpinGuard guard(p.lock);
    ResourceLimit& limit = p.limits[static_cast<std::size_t>(which)];
    const ResourceLimit before = limit;
    if (wanted) {
        const ResourceLimit fresh{std::min(wanted->current, kUnlimited),
                                  std::min(wanted->maximum, kUnlimited)};
        if (fresh.current > fresh.maximum)
            return fail(Errno::Inval);
        if (fresh.maximum > limit.maximum && !privileged)
            return fail(Errno::Perm);
        limit = fresh;
    }
    return before;
}

void copy_host_name(char (&name)[kHostNameSize]) {
    const SpinGuard guard(host_name_lock);
    std::memcpy(name, host_name, kHostNameSize);
}

Result<> set_host_name(std::span<const char> name) {
    if (!superuser())
        return fail(Errno::Perm);
    if (name.size() >= kHostNameSize)
        return fail(Errno::Inval);
    const SpinGuard guard(host_name_lock);
    std::memset(host_name, 0, kHostNameSize);
    std::memcpy(host_name, name.data(), name.size());
    return {};
}

}  // namespace skep::kernel
