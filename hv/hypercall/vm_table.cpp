#include "hv/hypercall/vm_table.hpp"

#include "hv/memory/layout.hpp"
#include "hv/root/identity_map.hpp"

#include <algorithm>
#include <cstring>

namespace skep::hv {

VmTable& vm_table() {
    static constinit VmTable table;
    return table;
}

Result<u64> VmTable::create(u64 flags) {
    if ((flags & ~u64{abi::kVmIsolated}) != 0)
        return fail(abi::Error::Invalid);
    auto guard = lock_.lock();
    const auto slot = std::find_if(slots_.begin(), slots_.end(),
                                   [](const VmSlot& candidate) { return candidate.id == 0; });
    if (slot == slots_.end())
        return fail(abi::Error::Busy);
    Vm* vm = pool().create<Vm>(slot->vcpus);
    if (vm == nullptr)
        return fail(abi::Error::NoMemory);
    if (const auto created = vm->tables.create(); !created) {
        pool().destroy(vm);
        return fail(created.error());
    }
    vm->isolated = (flags & abi::kVmIsolated) != 0;
    slot->vm = vm;
    const u64 id = next_generation_++ * kMaxVms + static_cast<u64>(slot - slots_.begin());
    slot->id = id;
    return id;
}

Status VmTable::destroy(u64 id) {
    auto table_guard = lock_.lock();
    VmSlot& slot = slots_[id % kMaxVms];
    auto guard = slot.lock.lock();
    if (id == 0 || slot.id != id)
        return fail(abi::Error::NoEntity);
    if (slot.flushing != 0)
        return fail(abi::Error::Busy);
    for (auto at = slot.vcpus.begin(); at != slot.vcpus.end(); ++at) {
        u32 expected = VcpuSlot::Idle;
        if (at->state.compare_exchange_strong(expected, VcpuSlot::Held) ||
            expected == VcpuSlot::Absent)
            continue;
        for (auto undo = slot.vcpus.begin(); undo != at; ++undo) {
            expected = VcpuSlot::Held;
            undo->state.compare_exchange_strong(expected, VcpuSlot::Idle);
        }
        return fail(abi::Error::Busy);
    }
    slot.id = 0;
    slot.vm->destroy_vcpus();
    if (slot.vm->isolated) {
        slot.vm->tables.for_each_mapping([](Hpa base, u64 size) {
            std::memset(direct(base), 0, size);
            identity_map_give_back(base, size);
        });
    }
    pool().destroy(slot.vm);
    slot.vm = nullptr;
    return {};
}

bool VmTable::uses(Hpa base, u64 size) {
    const auto touches = [&](Hpa other, u64 other_size) {
        return other.value < base.value + size && base.value < other.value + other_size;
    };
    bool used = false;
    for (VmSlot& slot : slots_) {
        auto guard = slot.lock.lock();
        if (slot.id == 0)
            continue;
        auto tables_guard = slot.vm->tables_lock.lock();
        slot.vm->tables.for_each_mapping(
            [&](Hpa other, u64 other_size) { used |= touches(other, other_size); });
        for (const VcpuSlot& vcpu : slot.vcpus)
            used |= vcpu.state != VcpuSlot::Absent && touches(vcpu.vcpu->page(), kPageSize);
    }
    return used;
}

u64 VmTable::count_vms() const {
    return static_cast<u64>(std::count_if(slots_.begin(), slots_.end(),
                                          [](const VmSlot& slot) { return slot.id != 0; }));
}

u64 VmTable::count_vcpus() const {
    u64 count = 0;
    for (const VmSlot& slot : slots_)
        count += static_cast<u64>(
            std::count_if(slot.vcpus.begin(), slot.vcpus.end(),
                          [](const VcpuSlot& vcpu) { return vcpu.state != VcpuSlot::Absent; }));
    return count;
}

}  // namespace skep::hv
