#include "hv/cpu/physical_apic.hpp"

#include "hv/arch/instructions.hpp"
#include "hv/arch/registers.hpp"
#include "hv/memory/layout.hpp"

namespace skep::hv {

namespace {

constexpr u64 kX2Apic = 1 << 10;  // IA32_APIC_BASE
constexpr u32 kId = 0x20, kIcrLow = 0x300, kIcrHigh = 0x310;
constexpr u32 kDeliveryPending = 1 << 12;
constexpr u32 kX2Id = 0x802, kX2Icr = 0x830;

bool x2apic() {
    return (read_msr(msr::kApicBase) & kX2Apic) != 0;
}

volatile u32& xapic(u32 offset) {
    const u64 base = read_msr(msr::kApicBase) & 0xf'ffff'f000;
    return *direct<volatile u32>(Hpa{base + offset});
}

}  // namespace

u32 physical_apic_id() {
    return x2apic() ? static_cast<u32>(read_msr(kX2Id)) : xapic(kId) >> 24;
}

void send_ipi(u32 apic_id, Ipi kind, u8 vector) {
    const u32 command = static_cast<u32>(kind) | vector;
    if (x2apic()) {
        write_msr(kX2Icr, static_cast<u64>(apic_id) << 32 | command);
        return;
    }
    const u32 high = xapic(kIcrHigh);
    while ((xapic(kIcrLow) & kDeliveryPending) != 0)
        pause();
    xapic(kIcrHigh) = apic_id << 24;
    xapic(kIcrLow) = command;
    while ((xapic(kIcrLow) & kDeliveryPending) != 0)
        pause();
    xapic(kIcrHigh) = high;
}

}  // namespace skep::hv
