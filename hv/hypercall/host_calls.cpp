// Calls about the machine: Info, Stats, CpuStart.
#include "hv/hypercall/dispatch.hpp"

#include "hv/cpu/fpu.hpp"
#include "hv/guest/vm.hpp"
#include "hv/hypercall/vm_table.hpp"
#include "hv/memory/layout.hpp"
#include "hv/memory/ownership.hpp"
#include "hv/root/root_domain.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace skep::hv {

namespace {

u64 tsc_frequency() {
    // Leaf 0x15: TSC = crystal * EBX / EAX.
    if (cpuid(0).eax < 0x15)
        return 0;
    const CpuidResult r = cpuid(0x15);
    return r.eax == 0 || r.ebx == 0 ? 0 : u64{r.ecx} * r.ebx / r.eax;
}

}  // namespace

Result<u64> call_info(u64 hpa) {
    const auto buffer = root_buffer(hpa, sizeof(abi::HostInfo), 8);
    if (!buffer)
        return fail(buffer.error());
    abi::HostInfo info{};
    info.abi_version = abi::kVersion;
    info.vendor = backend().vendor();
    info.cpu_count = cpu_count();
    info.max_vcpus = kMaxVcpus;
    info.tsc_frequency = tsc_frequency();
    info.hv_base = kHvBase.value;
    info.hv_size = kHvSize;
    info.xcr0_supported = fpu_components();
    info.features = backend().features();
    for (unsigned i = 0; i < cpu_count(); ++i)
        info.apic_ids[i] = cpu_at(i).apic_id;
    const std::string_view name = backend().name();
    std::copy_n(name.data(), std::min(name.size(), sizeof info.name - 1), info.name);
    std::memcpy(*buffer, &info, sizeof info);
    return 0;
}

Result<u64> call_stats(u64 hpa) {
    const auto buffer = root_buffer(hpa, sizeof(abi::HostStats), 8);
    if (!buffer)
        return fail(buffer.error());
    abi::HostStats stats{};
    stats.pool_frames_total = pool().total();
    stats.pool_frames_free = pool().available();
    stats.vms = vm_table().count_vms();
    stats.vcpus = vm_table().count_vcpus();
    for (unsigned i = 0; i < cpu_count(); ++i) {
        const CpuCounters& counters = cpu_at(i).counters;
        stats.root_exits += counters.root_exits;
        stats.root_violations += counters.root_violations;
        stats.hypercalls += counters.hypercalls;
        stats.hypercalls_refused += counters.hypercalls_refused;
        stats.guest_exits_handled += counters.guest_exits_handled;
        for (unsigned reason = 0; reason < abi::kExitReasons; ++reason)
            stats.guest_exits[reason] += counters.guest_exits[reason];
    }
    std::memcpy(*buffer, &stats, sizeof stats);
    return 0;
}

Result<u64> call_cpuid_supported(u64 hpa, u64 count) {
    if (count == 0 || count > CpuidTable::kMaxEntries)
        return fail(abi::Error::Invalid);
    const auto buffer = root_buffer(hpa, count * sizeof(abi::CpuidEntry), alignof(abi::CpuidEntry));
    if (!buffer)
        return fail(buffer.error());
    auto* entries = reinterpret_cast<abi::CpuidEntry*>(*buffer);
    for (u64 i = 0; i < count; ++i) {
        abi::CpuidEntry& entry = entries[i];
        const CpuidResult result = cpuid_supported(
            entry.leaf, entry.subleaf, [](u32 leaf, u32 subleaf) { return cpuid(leaf, subleaf); });
        entry.eax = result.eax;
        entry.ebx = result.ebx;
        entry.ecx = result.ecx;
        entry.edx = result.edx;
    }
    return 0;
}

Result<u64> call_cpu_start(u64 apic_id, u64 entry, u64 argument) {
    if (entry > 0xffff'ffff || argument > 0xffff'ffff)
        return fail(abi::Error::Invalid);
    if (!ownership().root_owns(Hpa{entry}, 1))
        return fail(abi::Error::Denied);
    for (unsigned i = 1; i < cpu_count(); ++i) {
        if (cpu_at(i).apic_id == apic_id)
            return zero_if(root_domain_release(cpu_at(i), static_cast<u32>(entry),
                                               static_cast<u32>(argument)));
    }
    return fail(apic_id == cpu_at(0).apic_id ? abi::Error::Exists : abi::Error::NoEntity);
}

}  // namespace skep::hv
