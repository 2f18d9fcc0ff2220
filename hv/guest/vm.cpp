#include "hv/guest/vm.hpp"

#include "hv/cpu/cpu.hpp"
#include "hv/cpu/physical_apic.hpp"
#include "hv/guest/vcpu.hpp"
#include "hv/memory/layout.hpp"

namespace skep::hv {

void Vm::destroy_vcpus() {
    for (VcpuSlot& slot : vcpus) {
        if (slot.vcpu != nullptr)
            Vcpu::destroy(slot.vcpu);
        slot.vcpu = nullptr;
        slot.state = VcpuSlot::Absent;
    }
}

Vcpu* Vm::present(unsigned index) {
    return vcpus[index].state != VcpuSlot::Absent ? vcpus[index].vcpu : nullptr;
}

u64 Vm::deliver_to(unsigned index, const ApicMessage& message, const Vcpu* source) {
    Vcpu& target = *vcpus[index].vcpu;
    switch (message.mode) {
        case DeliveryMode::Fixed:
        case DeliveryMode::LowestPriority: {
            // Vectors below 16 are illegal (SDM vol. 3, 11.5.2).
            if (message.vector < 16 || !target.apic().accepts_fixed())
                return 0;
            const bool first = target.apic().accept(message.vector, message.level);
            target.post(Vcpu::kRequestEvaluate);
            if (&target != source && !message.level && target.notify(first))
                return 0;
            break;
        }
        case DeliveryMode::Nmi:
            target.post(Vcpu::kRequestNmi);
            break;
        case DeliveryMode::Init:
            if (message.deassert)
                return 0;
            target.post(Vcpu::kRequestInit);
            break;
        case DeliveryMode::Startup:
            target.post_startup(message.vector);
            break;
        default:
            return 0;
    }
    const bool elsewhere =
        &target != source && (vcpus[index].state == VcpuSlot::Held || target.waits());
    return elsewhere ? u64{1} << index : 0;
}

u64 Vm::deliver(const ApicMessage& message, const Vcpu* source) {
    constexpr u8 kSelf = 1, kAllButSelf = 3;
    u64 wake = 0;
    if (message.mode == DeliveryMode::LowestPriority && message.shorthand == 0) {
        int best = -1;
        for (unsigned i = 0; i < kMaxVcpus; ++i) {
            Vcpu* vcpu = present(i);
            if (vcpu == nullptr || !vcpu->apic().accepts_fixed() || !vcpu->apic().matches(message))
                continue;
            if (best < 0 ||
                vcpu->apic().processor_priority() <
                    vcpus[static_cast<unsigned>(best)].vcpu->apic().processor_priority())
                best = static_cast<int>(i);
        }
        return best < 0 ? 0 : deliver_to(static_cast<unsigned>(best), message, source);
    }
    for (unsigned i = 0; i < kMaxVcpus; ++i) {
        Vcpu* vcpu = present(i);
        if (vcpu == nullptr)
            continue;
        const bool self = vcpu == source;
        const bool hit = message.shorthand == 0       ? vcpu->apic().matches(message)
                         : message.shorthand == kSelf ? self
                                                      : !self || message.shorthand != kAllButSelf;
        if (hit)
            wake |= deliver_to(i, message, source);
    }
    return wake;
}

void Vm::flush_translations() {
    for (unsigned i = 0; i < kMaxVcpus; ++i) {
        if (Vcpu* vcpu = present(i))
            vcpu->post(Vcpu::kRequestFlush);
    }
    for (unsigned i = 0; i < kMaxVcpus; ++i) {
        Vcpu* vcpu = present(i);
        if (vcpu == nullptr)
            continue;
        // Leaves its guest through an NMI; the request is taken on the way back in, or is there for
        // the next vcpu_run.
        while (vcpus[i].state == VcpuSlot::Held && vcpu->flush_pending()) {
            const int index = vcpu->runs_on();
            if (index >= 0) {
                Cpu& cpu = cpu_at(static_cast<unsigned>(index));
                cpu.kicked = true;
                send_ipi(cpu.apic_id, Ipi::Nmi);
            }
            for (int spin = 0; spin < 1000 && vcpu->flush_pending(); ++spin)
                __builtin_ia32_pause();
        }
    }
}

void Vm::place_apic(unsigned index, bool usual) {
    auto guard = tables_lock.lock();
    const u64 bit = u64{1} << index;
    apics_elsewhere_ = usual ? apics_elsewhere_ & ~bit : apics_elsewhere_ | bit;
    // Others may still have it in their TLBs: they have theirs at the usual place.
    if (!usual)
        tables.remove_overlay();
}

void Vm::show_apic_page() {
    auto guard = tables_lock.lock();
    if (apics_elsewhere_ == 0)
        tables.overlay(apic::kBaseDefault, backend().apic_page());
}

// Of destroyed vCPUs, too.
void Vm::mark_written() {
    for (const VcpuSlot& slot : vcpus) {
        if (slot.vcpu != nullptr)
            slot.vcpu->mark_written();
    }
}

const u8* Vm::memory(Gpa gpa) const {
    const auto mapping = tables.lookup(gpa.value);
    if (!mapping || (mapping->protection & abi::kRead) == 0)
        return nullptr;
    return direct(mapping->address);
}

}  // namespace skep::hv
