// Calls about a VM: its memory, CPUID table and interrupt messages.
#include "hv/hypercall/dispatch.hpp"

#include "hv/arch/instructions.hpp"
#include "hv/hypercall/vm_table.hpp"
#include "hv/memory/ownership.hpp"
#include "hv/root/identity_map.hpp"

#include <cstring>

namespace skep::hv {

namespace {

constexpr u64 kProtectionMask = abi::kRead | abi::kWrite | abi::kExecute;
constexpr u64 kDirtyLogMax = kPageSize * 8 * kPageSize;  // one bit per page in one frame

CpuidResult host_cpuid(u32 leaf, u32 subleaf) {
    return cpuid(leaf, subleaf);
}

// None, or readable: neither vendor's tables can express less.
bool valid_protection(u64 value) {
    return (value & ~kProtectionMask) == 0 && (value == 0 || (value & abi::kRead) != 0);
}

Status refuse_isolated(const Vm& vm) {
    return vm.isolated ? fail(abi::Error::Unsupported) : Status{};
}

}  // namespace

Result<u64> call_vm_map(const Cpu& cpu, const Arguments& a) {
    const auto [id, gpa, hpa, size, protection, unused] = a;
    if (!valid_protection(protection) || !is_aligned(hpa | size, kPageSize))
        return fail(abi::Error::Invalid);
    if (!ownership().root_owns(Hpa{hpa}, size))
        return fail(size == 0 ? abi::Error::Invalid : abi::Error::Denied);
    const auto isolated = vm_table().with_vm(id, [](Vm& vm) -> Result<u64> { return vm.isolated; });
    if (!isolated)
        return isolated;
    if (*isolated != 0) {
        if (!is_aligned(gpa | hpa | size, kPageSize2M))
            return fail(abi::Error::Invalid);
        HV_TRY(withdraw(cpu, Hpa{hpa}, size));
    }
    // Nothing cached can be stale: hardware does not cache that something is not mapped.
    const Status mapped = vm_table().with_vm(id, [&](Vm& vm) -> Status {
        auto guard = vm.tables_lock.lock();
        return vm.tables.map(gpa, Hpa{hpa}, size, static_cast<u32>(protection),
                             MemoryType::WriteBack);
    });
    if (!mapped && *isolated != 0)
        identity_map_give_back(Hpa{hpa}, size);
    return zero_if(mapped);
}

Result<u64> call_vm_unmap(const Arguments& a) {
    const auto [id, gpa, size, unused1, unused2, unused3] = a;
    return zero_if(vm_table().with_vm_flushed(id, [&](Vm& vm) -> Status {
        HV_TRY(refuse_isolated(vm));
        auto guard = vm.tables_lock.lock();
        return vm.tables.unmap(gpa, size);
    }));
}

bool grant_page(u64 id, u64 gpa, u64 size, u64 protection) {
    if (size != kPageSize || !valid_protection(protection))
        return false;
    return vm_table()
        .with_vm(id,
                 [&](Vm& vm) -> Status {
                     auto guard = vm.tables_lock.lock();
                     return vm.tables.grant(gpa, static_cast<u32>(protection))
                                ? Status{}
                                : fail(abi::Error::Invalid);
                 })
        .has_value();
}

Result<u64> call_vm_protect(u64 id, u64 gpa, u64 size, u64 protection) {
    if (!valid_protection(protection))
        return fail(abi::Error::Invalid);
    return zero_if(vm_table().with_vm_flushed(id, [&](Vm& vm) -> Status {
        auto guard = vm.tables_lock.lock();
        return vm.tables.protect(gpa, size, static_cast<u32>(protection));
    }));
}

Result<u64> call_vm_dirty_log(const Arguments& a) {
    const auto [id, gpa, size, operation, hpa, unused] = a;
    if (!is_aligned(gpa | size, kPageSize) || size == 0 || size > kDirtyLogMax ||
        gpa > Tables::kAddressLimit - size)
        return fail(abi::Error::Invalid);
    std::span<u8> bitmap;
    const auto op = static_cast<abi::DirtyLogOp>(operation);
    if (op == abi::DirtyLogOp::Harvest) {
        const u64 bytes = (size / kPageSize + 7) / 8;
        const auto buffer = root_buffer(hpa, bytes, 1);
        if (!buffer)
            return fail(buffer.error());
        bitmap = {*buffer, bytes};
        std::memset(bitmap.data(), 0, bytes);
    } else if (op != abi::DirtyLogOp::Start && op != abi::DirtyLogOp::Stop) {
        return fail(abi::Error::Invalid);
    }
    const auto act = [&](Vm& vm) -> Status {
        auto guard = vm.tables_lock.lock();
        switch (op) {
            case abi::DirtyLogOp::Start:
                vm.tables.dirty_start(gpa, size);
                break;
            case abi::DirtyLogOp::Harvest:
                vm.mark_written();
                vm.tables.dirty_harvest(gpa, size, bitmap);
                break;
            case abi::DirtyLogOp::Stop:
                vm.tables.dirty_stop(gpa, size);
                break;
        }
        return {};
    };
    const Status done = op == abi::DirtyLogOp::Stop ? vm_table().with_vm(id, act)
                                                    : vm_table().with_vm_flushed(id, act);
    return zero_if(done);
}

Result<u64> call_vm_set_cpuid(const Arguments& a) {
    const auto [id, hpa, count, unused1, unused2, unused3] = a;
    if (count == 0 || count > CpuidTable::kMaxEntries)
        return fail(abi::Error::Invalid);
    const auto buffer = root_buffer(hpa, count * sizeof(abi::CpuidEntry), alignof(abi::CpuidEntry));
    if (!buffer)
        return fail(buffer.error());
    const std::span entries(reinterpret_cast<const abi::CpuidEntry*>(*buffer), count);
    return zero_if(
        vm_table().with_vm(id, [&](Vm& vm) { return vm.cpuid.set(entries, host_cpuid); }));
}

Result<u64> call_vm_send_msi(const Arguments& a) {
    const auto [id, address, data, unused1, unused2, unused3] = a;
    constexpr u64 kMsiWindow = 0xfee0'0000, kWindowMask = 0xfff0'0000;
    if ((address & ~u64{0xffff'ffff}) != 0 || (address & kWindowMask) != kMsiWindow ||
        data > 0xffff'ffff)
        return fail(abi::Error::Invalid);
    return vm_table().with_vm(id, [&](Vm& vm) -> Result<u64> {
        return vm.deliver(ApicMessage::from_msi(address, static_cast<u32>(data)), nullptr);
    });
}

}  // namespace skep::hv
