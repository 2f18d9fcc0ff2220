#include <kernel/abi/freebsd/memory_policy.hpp>

#include <kernel/proc/elf.hpp>
#include <kernel/proc/process.hpp>

namespace skep::kernel::freebsd_abi {

std::atomic<bool> allow_write_execute{true};

namespace {

constexpr std::int32_t kPermit = 1, kDenyAtExec = 2,
                       kEnforced = static_cast<std::int32_t>(0x8000'0000);  // PROC_WX*
constexpr std::int32_t kForceOn = 1, kForceOff = 2, kNoForce = 3,
                       kActive = static_cast<std::int32_t>(0x8000'0000);  // PROC_PROTMAX_*

MemoryPolicy policy_of(const Process& p) {
    const SpinGuard guard(process_lock);
    return p.memory_policy;
}

Ref<VmMap> map_of(const Process& p) {
    const SpinGuard guard(process_lock);
    return p.map;
}

}  // namespace

Result<> apply_memory_policy(VmMap& map, const ElfImage& image) {
    const MemoryPolicy policy = policy_of(current_process());
    const bool permitted =
        allow_write_execute || image.needs_write_execute || policy.permits_write_execute;
    if (permitted && !policy.denies_write_execute_at_exec)
        return {};
    return map.set_write_xor_execute(true);
}

std::uint32_t implied_maximum(std::uint32_t protection) {
    constexpr std::uint32_t kAll = kProtRead | kProtWrite | kProtExecute;
    const bool implied = policy_of(current_process()).maximum == MemoryPolicy::Maximum::Implied;
    return implied && protection ? protection : kAll;
}

Result<> control_write_execute(Process& p, std::int32_t value) {
    switch (value) {
        case kPermit: {
            {
                const SpinGuard guard(process_lock);
                p.memory_policy.permits_write_execute = true;
            }
            if (const Ref<VmMap> map = map_of(p))
                return map->set_write_xor_execute(false);
            return {};
        }
        case kDenyAtExec: {
            const SpinGuard guard(process_lock);
            p.memory_policy.denies_write_execute_at_exec = true;
            return {};
        }
        default:
            return fail(Errno::Inval);
    }
}

std::int32_t write_execute_status(Process& p) {
    const MemoryPolicy policy = policy_of(p);
    const Ref<VmMap> map = map_of(p);
    return (policy.permits_write_execute ? kPermit : 0) |
           (policy.denies_write_execute_at_exec ? kDenyAtExec : 0) |
           (map && map->write_xor_execute() ? kEnforced : 0);
}

Result<> control_maximum(Process& p, std::int32_t value) {
    using enum MemoryPolicy::Maximum;
    if (value < kForceOn || value > kNoForce)
        return fail(Errno::Inval);
    const SpinGuard guard(process_lock);
    p.memory_policy.maximum = value == kForceOn ? Implied : value == kForceOff ? Never : Default;
    return {};
}

std::int32_t maximum_status(Process& p) {
    switch (policy_of(p).maximum) {
        case MemoryPolicy::Maximum::Implied:
            return kForceOn | kActive;
        case MemoryPolicy::Maximum::Never:
            return kForceOff;
        case MemoryPolicy::Maximum::Default:
            break;
    }
    return kNoForce;
}

}  // namespace skep::kernel::freebsd_abi
