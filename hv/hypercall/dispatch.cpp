#include "hv/hypercall/dispatch.hpp"

#include "hv/hypercall/vm_table.hpp"
#include "hv/memory/layout.hpp"
#include "hv/memory/ownership.hpp"

namespace skep::hv {

Result<u8*> root_buffer(u64 hpa, u64 size, u64 alignment) {
    if (size == 0 || size > kPageSize || !is_aligned(hpa, alignment) ||
        Hpa{hpa}.offset() + size > kPageSize)
        return fail(abi::Error::Invalid);
    if (!ownership().root_owns(Hpa{hpa}, size))
        return fail(abi::Error::Denied);
    return direct(Hpa{hpa});
}

namespace {

[[gnu::noinline]] Result<u64> call(u64 number, const Arguments& a) {
    using abi::Hypercall;
    switch (static_cast<Hypercall>(number)) {
        case Hypercall::Info:
            return call_info(a[0]);
        case Hypercall::CpuStart:
            return call_cpu_start(a[0], a[1], a[2]);
        case Hypercall::Stats:
            return call_stats(a[0]);
        case Hypercall::CpuidSupported:
            return call_cpuid_supported(a[0], a[1]);
        case Hypercall::MemoryGive:
            return call_memory_give(Cpu::current(), a[0]);
        case Hypercall::MemoryTakeBack:
            return call_memory_take_back();
        case Hypercall::VmCreate:
            return vm_table().create(a[0]);
        case Hypercall::VmDestroy:
            return zero_if(vm_table().destroy(a[0]));
        case Hypercall::VmMap:
            return call_vm_map(Cpu::current(), a);
        case Hypercall::VmUnmap:
            return call_vm_unmap(a);
        case Hypercall::VmProtect:
            return call_vm_protect(a[0], a[1], a[2], a[3]);
        case Hypercall::VmDirtyLog:
            return call_vm_dirty_log(a);
        case Hypercall::VmSetCpuid:
            return call_vm_set_cpuid(a);
        case Hypercall::VmSendMsi:
            return call_vm_send_msi(a);
        case Hypercall::VcpuCreate:
            return call_vcpu_create(a);
        case Hypercall::VcpuDestroy:
            return call_vcpu_destroy(a);
        case Hypercall::VcpuGetFields:
            return call_vcpu_get_fields(a);
        case Hypercall::VcpuSetFields:
            return call_vcpu_set_fields(a);
        case Hypercall::VcpuGetXsave:
            return call_vcpu_get_xsave(a);
        case Hypercall::VcpuSetXsave:
            return call_vcpu_set_xsave(a);
        case Hypercall::VcpuGetApic:
            return call_vcpu_get_apic(a);
        case Hypercall::VcpuSetApic:
            return call_vcpu_set_apic(a);
        case Hypercall::VcpuInject:
            return call_vcpu_inject(a);
        default:
            return fail(abi::Error::NoCall);
    }
}

}  // namespace

u64 hypercall(Cpu& cpu, const abi::GeneralRegisters& r) {
    ++cpu.counters.hypercalls;
    // Two beside the others, as they are frequent; the second in one of its cases.
    if (r.rax == static_cast<u64>(abi::Hypercall::VmProtect) &&
        grant_page(r.rdi, r.rsi, r.rdx, r.r10))
        return 0;
    const Result<u64> result = r.rax == static_cast<u64>(abi::Hypercall::VcpuRun)
                                   ? call_vcpu_run(cpu, r.rdi, r.rsi)
                                   : call(r.rax, {r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9});
    if (result)
        return *result;
    ++cpu.counters.hypercalls_refused;
    return -static_cast<u64>(result.error());
}

}  // namespace skep::hv
