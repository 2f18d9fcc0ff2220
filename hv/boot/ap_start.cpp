#include "hv/boot/ap_start.hpp"

#include "hv/arch/instructions.hpp"
#include "hv/cpu/cpu.hpp"
#include "hv/cpu/physical_apic.hpp"
#include "hv/lib/panic.hpp"
#include "hv/memory/layout.hpp"
#include "hv/memory/ownership.hpp"
#include "hv/root/root_domain.hpp"

#include <cstring>

extern "C" const skep::hv::u8 ap_code[], ap_code_end[];
extern "C" skep::hv::u8* ap_stack;
skep::hv::u8* ap_stack;

namespace skep::hv {

namespace {

// Channel 2 of the 8254, gated by port 0x61, counts without interrupts.
void wait_microseconds(u32 time) {
    constexpr u16 kControl = 0x43, kChannel2 = 0x42, kGate = 0x61;
    const u32 ticks = time * 1193 / 1000 + 1;  // 1.193 MHz
    out8(kGate, static_cast<u8>((in8(kGate) & ~3) | 1));
    out8(kControl, 0xb0);  // channel 2, both bytes, mode 0
    out8(kChannel2, static_cast<u8>(ticks));
    out8(kChannel2, static_cast<u8>(ticks >> 8));
    // Bounded, for machines whose 8254 is turned off.
    for (u32 tries = 0; tries < time * 10 && (in8(kGate) & 0x20) == 0; ++tries)
        pause();
}

bool wait_online(Cpu& cpu, u32 milliseconds) {
    for (u32 i = 0; i < milliseconds * 10; ++i) {
        if (cpu.online.load(std::memory_order_acquire))
            return true;
        wait_microseconds(100);
    }
    return false;
}

void start_one(Cpu& cpu, u32 page) {
    ap_stack = cpu.stack_top();
    // SDM vol. 3, 9.4.4.1.
    send_ipi(cpu.apic_id, Ipi::Init);
    wait_microseconds(10'000);
    for (int i = 0; i < 2 && !cpu.online; ++i) {
        send_ipi(cpu.apic_id, Ipi::Startup, static_cast<u8>(page >> 12));
        if (wait_online(cpu, 10))
            return;
    }
}

}  // namespace

extern "C" [[noreturn]] void ap_main() {
    Cpu& cpu = Cpu::current();
    init_cpu(cpu);
    root_domain_park(cpu);
}

void start_cpus(const ApicIds& apic_ids, const Ownership& ram) {
    // Any free page of conventional memory will do: its contents are put back.
    u32 page = 0x8000;
    while (page < 0x9f000 && !ram.root_owns(Hpa{page}, kPageSize))
        page += kPageSize;
    if (page >= 0x9f000) {
        log("no conventional memory: only one CPU is used");
        return;
    }
    static u8 saved[256];
    const u64 size = static_cast<u64>(ap_code_end - ap_code);
    u8* code = direct(Hpa{page});
    std::memcpy(saved, code, size);
    std::memcpy(code, ap_code, size);

    const u32 self = Cpu::current().apic_id;
    unsigned count = 1;
    for (unsigned i = 0; i < apic_ids.count && count < kMaxCpus; ++i) {
        if (apic_ids.ids[i] == self)
            continue;
        prepare_cpu(count, apic_ids.ids[i]);
        Cpu& cpu = cpu_at(count);
        start_one(cpu, page);
        if (wait_online(cpu, 1000))
            ++count;
        else
            log("CPU with APIC id {} does not answer", apic_ids.ids[i]);
    }
    set_cpu_count(count);
    std::memcpy(code, saved, size);
}

}  // namespace skep::hv
