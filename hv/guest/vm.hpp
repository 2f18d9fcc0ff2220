// A virtual machine: its second-level tables, CPUID table and vCPUs.
//
// The VM's lock (VmSlot) covers the CPUID table and which vCPUs exist; hypercalls that change the
// tables hold it too. A vCPU is held by one CPU at a time (VcpuSlot::state); its holder needs no
// lock. A VM is destroyed only while no vCPU is held, so a running vCPU may use its VM and its
// siblings' atomic parts freely.
#pragma once

#include "hv/cpu/backend.hpp"
#include "hv/guest/cpuid_table.hpp"
#include "hv/guest/local_apic.hpp"
#include "hv/lib/spinlock.hpp"
#include "hv/memory/pool_memory.hpp"

#include <array>
#include <atomic>

namespace skep::hv {

class Vcpu;

inline constexpr unsigned kMaxVcpus = 64;

struct VcpuSlot {
    enum State : u32 {
        Absent,
        Idle,
        Held
    };
    std::atomic<u32> state{Absent};
    Vcpu* vcpu = nullptr;  // kept after vcpu_destroy, for the next vcpu_create
};

using VcpuSlots = std::array<VcpuSlot, kMaxVcpus>;

class Vm {
  public:
    explicit Vm(VcpuSlots& slots) : tables(backend().table_format(), pool_memory()), vcpus(slots) {}

    // Frees the vCPUs; nobody holds one.
    void destroy_vcpus();

    // Delivers an interrupt message. -> mask of vCPUs that have something to take and must be woken
    // or kicked by the root domain: halted ones and ones that run on another CPU.
    u64 deliver(const ApicMessage& message, const Vcpu* source);

    // After access was withdrawn: no vCPU uses the old translation when this returns.
    void flush_translations();

    // Whether a vCPU has its xAPIC at the usual place; told before it enters its guest so, and its
    // TLB is flushed. A vCPU that has not would find a shown page as memory, so it is gone then.
    void place_apic(unsigned index, bool usual);
    // Lets the CPU answer for xAPICs at the usual place, unless a vCPU has its APIC elsewhere.
    void show_apic_page();

    // Makes the tables' marks complete, before a harvest, under their lock.
    void mark_written();

    // A readable byte of guest memory, valid to the end of its frame; nullptr if there is none.
    const u8* memory(Gpa gpa) const;

    Tables tables;
    CpuidTable cpuid;
    bool isolated = false;  // its memory is not the root domain's; set when it is created
    VcpuSlots& vcpus;
    Spinlock tables_lock;  // entries of `tables`: taken inside the VM's lock, and by faults alone

  private:
    u64 deliver_to(unsigned index, const ApicMessage& message, const Vcpu* source);
    Vcpu* present(unsigned index);

    u64 apics_elsewhere_ = 0;  // under the lock of the tables
};

}  // namespace skep::hv
