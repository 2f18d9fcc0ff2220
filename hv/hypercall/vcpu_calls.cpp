// Calls about a vCPU.
#include "hv/hypercall/dispatch.hpp"

#include "hv/arch/instructions.hpp"
#include "hv/hypercall/vm_table.hpp"

#include <cstring>

namespace skep::hv {

namespace {

constexpr u64 kMaxFields = 256;

Result<abi::FieldValue*> field_buffer(u64 hpa, u64 count) {
    if (count == 0 || count > kMaxFields)
        return fail(abi::Error::Invalid);
    const auto bytes = root_buffer(hpa, count * sizeof(abi::FieldValue), alignof(abi::FieldValue));
    if (!bytes)
        return fail(bytes.error());
    return reinterpret_cast<abi::FieldValue*>(*bytes);
}

// The caller's memory may change between check and use: read each value once.
abi::FieldValue snapshot(const abi::FieldValue& value) {
    abi::FieldValue copy;
    std::memcpy(&copy, &value, sizeof copy);
    asm volatile("" : : : "memory");
    return copy;
}

}  // namespace

Result<u64> call_vcpu_create(const Arguments& a) {
    const auto [id, index, page, unused1, unused2, unused3] = a;
    if (index >= kMaxVcpus)
        return fail(abi::Error::Invalid);
    const auto buffer = root_buffer(page, kPageSize, kPageSize);
    if (!buffer)
        return fail(buffer.error());
    return vm_table().with_vm(id, [&](Vm& vm) -> Result<u64> {
        VcpuSlot& slot = vm.vcpus[index];
        if (slot.state != VcpuSlot::Absent)
            return fail(abi::Error::Exists);
        if (slot.vcpu == nullptr) {
            const auto created = Vcpu::create(vm, static_cast<u32>(index));
            if (!created)
                return fail(created.error());
            slot.vcpu = *created;
        }
        const Cpu& cpu = Cpu::current();
        slot.vcpu->hardware().acquire(cpu);
        slot.vcpu->start(Hpa{page});
        slot.vcpu->hardware().release(cpu);
        slot.state = VcpuSlot::Idle;
        return 0;
    });
}

Result<u64> call_vcpu_destroy(const Arguments& a) {
    const auto [id, index, unused1, unused2, unused3, unused4] = a;
    return vm_table().with_vm(id, [&](Vm& vm) -> Result<u64> {
        if (index >= kMaxVcpus)
            return fail(abi::Error::NoEntity);
        u32 expected = VcpuSlot::Idle;
        if (vm.vcpus[index].state.compare_exchange_strong(expected, VcpuSlot::Absent))
            return 0;
        return fail(expected == VcpuSlot::Held ? abi::Error::Busy : abi::Error::NoEntity);
    });
}

Result<u64> call_vcpu_run(Cpu& cpu, u64 id, u64 index) {
    return vm_table().with_vcpu(cpu, id, index, [&](Vcpu& vcpu) -> Result<u64> {
        vcpu.run(cpu);
        return 0;
    });
}

Result<u64> call_vcpu_get_fields(const Arguments& a) {
    const auto [id, index, hpa, count, unused1, unused2] = a;
    const auto buffer = field_buffer(hpa, count);
    if (!buffer)
        return fail(buffer.error());
    return vm_table().with_vcpu(Cpu::current(), id, index, [&](Vcpu& vcpu) -> Result<u64> {
        for (u64 i = 0; i < count; ++i) {
            abi::FieldValue& entry = (*buffer)[i];
            const auto value = vcpu.get_field(snapshot(entry).id);
            if (!value)
                return fail(value.error());
            entry.value = *value;
        }
        return 0;
    });
}

Result<u64> call_vcpu_set_fields(const Arguments& a) {
    const auto [id, index, hpa, count, unused1, unused2] = a;
    const auto buffer = field_buffer(hpa, count);
    if (!buffer)
        return fail(buffer.error());
    return vm_table().with_vcpu(Cpu::current(), id, index, [&](Vcpu& vcpu) -> Result<u64> {
        for (u64 i = 0; i < count; ++i) {
            const abi::FieldValue entry = snapshot((*buffer)[i]);
            if (entry.reserved != 0)
                return fail(abi::Error::Invalid);
            HV_TRY(vcpu.check_field(entry.id, entry.value));
        }
        // Checked again one by one: what changed meanwhile is refused, if late.
        for (u64 i = 0; i < count; ++i) {
            const abi::FieldValue entry = snapshot((*buffer)[i]);
            HV_TRY(vcpu.check_field(entry.id, entry.value));
            vcpu.set_field(entry.id, entry.value);
        }
        return 0;
    });
}

Result<u64> call_vcpu_get_xsave(const Arguments& a) {
    const auto [id, index, hpa, size, unused1, unused2] = a;
    const u32 needed = fpu_area_size();
    if (size < needed)
        return fail(abi::Error::Invalid);
    const auto buffer = root_buffer(hpa, size, 1);
    if (!buffer)
        return fail(buffer.error());
    return vm_table().with_vcpu(Cpu::current(), id, index, [&](Vcpu& vcpu) -> Result<u64> {
        std::memcpy(*buffer, vcpu.fpu().bytes.data(), needed);
        return needed;
    });
}

Result<u64> call_vcpu_set_xsave(const Arguments& a) {
    const auto [id, index, hpa, size, unused1, unused2] = a;
    const auto buffer = root_buffer(hpa, size, 1);
    if (!buffer)
        return fail(buffer.error());
    // Copied to a frame of hv's before it is checked.
    const auto frame = pool().allocate();
    if (!frame)
        return fail(abi::Error::NoMemory);
    auto* copy = static_cast<u8*>(pool().at(*frame));
    std::memcpy(copy, *buffer, size);
    const auto result =
        vm_table().with_vcpu(Cpu::current(), id, index, [&](Vcpu& vcpu) -> Result<u64> {
            HV_TRY(fpu_check({copy, size}));
            vcpu.fpu().bytes.fill(0);
            std::memcpy(vcpu.fpu().bytes.data(), copy, size);
            return size;
        });
    pool().free(*frame);
    return result;
}

Result<u64> call_vcpu_get_apic(const Arguments& a) {
    const auto [id, index, hpa, unused1, unused2, unused3] = a;
    const auto buffer = root_buffer(hpa, kPageSize, kPageSize);
    if (!buffer)
        return fail(buffer.error());
    return vm_table().with_vcpu(Cpu::current(), id, index, [&](Vcpu& vcpu) -> Result<u64> {
        vcpu.save_apic(*reinterpret_cast<LocalApic::Page*>(*buffer));
        return 0;
    });
}

Result<u64> call_vcpu_set_apic(const Arguments& a) {
    const auto [id, index, hpa, unused1, unused2, unused3] = a;
    const auto buffer = root_buffer(hpa, kPageSize, kPageSize);
    if (!buffer)
        return fail(buffer.error());
    return vm_table().with_vcpu(Cpu::current(), id, index, [&](Vcpu& vcpu) -> Result<u64> {
        vcpu.load_apic(*reinterpret_cast<const LocalApic::Page*>(*buffer));
        return 0;
    });
}

Result<u64> call_vcpu_inject(const Arguments& a) {
    const auto [id, index, kind, vector, error_code, unused] = a;
    return vm_table().with_vcpu(Cpu::current(), id, index, [&](Vcpu& vcpu) -> Result<u64> {
        HV_TRY(vcpu.inject(static_cast<abi::InjectKind>(kind), vector, error_code));
        return 0;
    });
}

}  // namespace skep::hv
