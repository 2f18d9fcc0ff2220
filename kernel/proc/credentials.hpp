// Changing who a process is, by the rules of setresuid(2); resource limits; the machine's name.
#pragma once

#include <kernel/proc/process.hpp>

#include <span>

namespace skep::kernel {

inline constexpr std::uint32_t kKeepId = ~0u;
struct IdChange {
    std::uint32_t real = kKeepId, effective = kKeepId, saved = kKeepId;
};

// Of the current process. Without privilege each id may become one of the three there are: else
// Perm.
Result<> change_user_ids(const IdChange&);
Result<> change_group_ids(const IdChange&);
// setuid, setgid: all three for the superuser, else the effective one.
Result<> become_user(std::uint32_t id);
Result<> become_group(std::uint32_t id);
// Perm: not the superuser; Inval: too many.
Result<> set_supplementary_groups(std::span<const std::uint32_t> groups);

// -> the limit as it was. `wanted` may be null. Inval: current above maximum; Perm: maximum raised
// without privilege.
Result<ResourceLimit> change_limit(Process&, Limit, const ResourceLimit* wanted);

// The machine's name (sethostname), NUL-terminated.
inline constexpr std::size_t kHostNameSize = 65;
void copy_host_name(char (&name)[kHostNameSize]);
// Perm: not the superuser; Inval: too long.
Result<> set_host_name(std::span<const char> name);

}  // namespace skep::kernel
