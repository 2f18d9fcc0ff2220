// The root domain's calls (hv/abi/hypercall.hpp). Every argument comes from outside.
#pragma once

#include "hv/cpu/cpu.hpp"
#include "hv/lib/result.hpp"

#include <array>
#include <span>

namespace skep::hv {

using Arguments = std::array<u64, 6>;

// Carries out the call in the registers and returns what goes to RAX.
u64 hypercall(Cpu& cpu, const abi::GeneralRegisters& registers);

// A buffer of the root domain's: within one frame that it owns. Its contents may change at any
// time.
Result<u8*> root_buffer(u64 hpa, u64 size, u64 alignment);

// Makes frames of the root domain nobody's: Denied if it has not all of them, Busy if a VM uses
// one. They may be in use until the CPUs have passed by, so that is looked at last.
Status withdraw(const Cpu& cpu, Hpa base, u64 size);

// The calls, by group.
Result<u64> call_info(u64 buffer);
Result<u64> call_stats(u64 buffer);
Result<u64> call_cpuid_supported(u64 buffer, u64 count);
Result<u64> call_cpu_start(u64 apic_id, u64 entry, u64 argument);

Result<u64> call_memory_give(const Cpu& cpu, u64 hpa);
Result<u64> call_memory_take_back();

Result<u64> call_vm_map(const Cpu& cpu, const Arguments& arguments);
Result<u64> call_vm_unmap(const Arguments& arguments);
// vm_protect of a page that gains access. False: not such a case, nothing done.
bool grant_page(u64 id, u64 gpa, u64 size, u64 protection);
Result<u64> call_vm_protect(u64 id, u64 gpa, u64 size, u64 protection);
Result<u64> call_vm_dirty_log(const Arguments& arguments);
Result<u64> call_vm_set_cpuid(const Arguments& arguments);
Result<u64> call_vm_send_msi(const Arguments& arguments);

Result<u64> call_vcpu_create(const Arguments& arguments);
Result<u64> call_vcpu_destroy(const Arguments& arguments);
Result<u64> call_vcpu_run(Cpu& cpu, u64 id, u64 index);
Result<u64> call_vcpu_get_fields(const Arguments& arguments);
Result<u64> call_vcpu_set_fields(const Arguments& arguments);
Result<u64> call_vcpu_get_xsave(const Arguments& arguments);
Result<u64> call_vcpu_set_xsave(const Arguments& arguments);
Result<u64> call_vcpu_get_apic(const Arguments& arguments);
Result<u64> call_vcpu_set_apic(const Arguments& arguments);
Result<u64> call_vcpu_inject(const Arguments& arguments);

}  // namespace skep::hv
