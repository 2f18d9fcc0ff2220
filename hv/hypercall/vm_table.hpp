// All VMs, and how a hypercall gets hold of one: by lock (a VM) or by claim (a vCPU).
#pragma once

#include "hv/guest/vcpu.hpp"
#include "hv/guest/vm.hpp"

namespace skep::hv {

inline constexpr unsigned kMaxVms = 64;

// A slot outlives the VMs in it, so that a lock or a claim word is never freed under a waiter.
struct VmSlot {
    Spinlock lock;
    std::atomic<u64> id{0};  // 0: free. Ids are not used twice.
    u32 flushing = 0;  // hypercalls that wait for vCPUs to drop translations, without the lock
    Vm* vm = nullptr;
    VcpuSlots vcpus{};
};

class VmTable {
  public:
    Result<u64> create(u64 flags);
    Status destroy(u64 id);

    // Runs action(Vm&) -> Result or Status with the VM locked.
    template <class Action>
    auto with_vm(u64 id, Action action) -> decltype(action(std::declval<Vm&>())) {
        VmSlot& slot = slots_[id % kMaxVms];
        auto guard = slot.lock.lock();
        if (id == 0 || slot.id != id)
            return fail(abi::Error::NoEntity);
        return action(*slot.vm);
    }

    // As with_vm; afterwards no vCPU uses a translation that `action` has withdrawn.
    template <class Action>
    Status with_vm_flushed(u64 id, Action action) {
        Vm* vm = nullptr;
        HV_TRY(with_vm(id, [&](Vm& found) -> Status {
            HV_TRY(action(found));
            vm = &found;
            ++slots_[id % kMaxVms].flushing;
            return {};
        }));
        vm->flush_translations();
        auto guard = slots_[id % kMaxVms].lock.lock();
        --slots_[id % kMaxVms].flushing;
        return {};
    }

    // Runs action(Vcpu&) with the vCPU held and its hardware part usable on this CPU.
    template <class Action>
    auto with_vcpu(const Cpu& cpu, u64 id, u64 index, Action action)
        -> decltype(action(std::declval<Vcpu&>())) {
        auto claimed = claim(id, index);
        if (!claimed)
            return fail(claimed.error());
        const Claim claim(cpu, *claimed);
        return action(claim.vcpu());
    }

    // Does a VM map one of these frames, or a vCPU report in one?
    bool uses(Hpa base, u64 size);

    u64 count_vms() const;
    u64 count_vcpus() const;

  private:
    struct ClaimWord {
        std::atomic<u32>* state;
        Vcpu* vcpu;
    };
    class Claim {
      public:
        Claim(const Cpu& cpu, ClaimWord word) : cpu_(cpu), word_(word) {
            word_.vcpu->hardware().acquire(cpu_);
        }
        ~Claim() {
            word_.vcpu->hardware().release(cpu_);
            word_.state->store(VcpuSlot::Idle, std::memory_order_release);
        }
        Claim(const Claim&) = delete;
        Claim& operator=(const Claim&) = delete;
        Vcpu& vcpu() const { return *word_.vcpu; }

      private:
        const Cpu& cpu_;
        ClaimWord word_;
    };

    Result<ClaimWord> claim(u64 id, u64 index);

    Spinlock lock_;  // creation and destruction
    u64 next_generation_ = 1;
    std::array<VmSlot, kMaxVms> slots_{};
};

inline Result<VmTable::ClaimWord> VmTable::claim(u64 id, u64 index) {
    VmSlot& slot = slots_[id % kMaxVms];
    if (id == 0 || slot.id != id || index >= kMaxVcpus)
        return fail(abi::Error::NoEntity);
    VcpuSlot& vcpu = slot.vcpus[index];
    u32 expected = VcpuSlot::Idle;
    if (!vcpu.state.compare_exchange_strong(expected, VcpuSlot::Held))
        return fail(expected == VcpuSlot::Absent ? abi::Error::NoEntity : abi::Error::Busy);
    // The VM may have been destroyed, and the slot taken again, since the id was compared.
    if (slot.id != id) {
        vcpu.state = VcpuSlot::Idle;
        return fail(abi::Error::NoEntity);
    }
    return ClaimWord{&vcpu.state, vcpu.vcpu};
}

VmTable& vm_table();

}  // namespace skep::hv
