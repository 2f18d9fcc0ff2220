// Memory that changes hands: withdrawn from the root domain for an isolated VM or for hv's own
// pool.
#include "hv/hypercall/dispatch.hpp"

#include "hv/hypercall/vm_table.hpp"
#include "hv/memory/ownership.hpp"
#include "hv/root/identity_map.hpp"
#include "hv/root/root_domain.hpp"

#include <atomic>

namespace skep::hv {

Status withdraw(const Cpu& cpu, Hpa base, u64 size) {
    static std::atomic<bool> busy{false};
    if (busy.exchange(true))
        return fail(abi::Error::Busy);
    Status done = identity_map_withdraw(base, size);
    if (done) {
        root_domain_drop_translations(cpu);
        if (vm_table().uses(base, size)) {
            identity_map_give_back(base, size);
            done = fail(abi::Error::Busy);
        }
    }
    busy = false;
    return done;
}

Result<u64> call_memory_give(const Cpu& cpu, u64 hpa) {
    const Hpa base{hpa};
    if (!is_aligned(hpa, kPageSize2M))
        return fail(abi::Error::Invalid);
    if (!ownership().root_owns(base, kPageSize2M))
        return fail(abi::Error::Denied);
    HV_TRY(withdraw(cpu, base, kPageSize2M));
    if (!pool().add(base)) {
        identity_map_give_back(base, kPageSize2M);
        return fail(abi::Error::NoMemory);
    }
    return 0;
}

Result<u64> call_memory_take_back() {
    const auto base = pool().take_unused();
    if (!base)
        return fail(abi::Error::NoEntity);
    identity_map_give_back(*base, kPageSize2M);
    return base->value;
}

}  // namespace skep::hv
