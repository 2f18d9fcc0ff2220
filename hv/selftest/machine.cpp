#include "hv/selftest/machine.hpp"

#include "hv/arch/instructions.hpp"
#include "hv/selftest/check.hpp"
#include "hv/selftest/hypercalls.hpp"

#include <cstring>

extern "C" {
extern const skep::hv::u64 vector_addresses[33];
extern skep::hv::u64 idt[];
void notification_vector();
}

namespace skep::hv {

void stop_other_cpus() {}

namespace selftest {

namespace {

volatile u32& local_apic(u32 offset) {
    return *reinterpret_cast<volatile u32*>(0xfee0'0000u + offset);
}

void set_gate(unsigned vector, u64 handler) {
    idt[2 * vector] = (handler & 0xffff) | 8 << 16 | u64{0x8e00} << 32 | (handler >> 16) << 48;
    idt[2 * vector + 1] = 0;
}

void build_idt() {
    for (unsigned i = 0; i < 33; ++i)
        set_gate(i, vector_addresses[i]);
    set_gate(abi::kNotificationVector, reinterpret_cast<u64>(&notification_vector));
}

bool find_hv() {
    const CpuidResult leaf = cpuid(abi::kCpuidSignatureLeaf);
    if (leaf.ebx != abi::kCpuidSignature || leaf.ecx != leaf.ebx || leaf.edx != leaf.ebx)
        return false;
    alignas(4096) static u8 frame[4096];
    // Both instructions exist on neither vendor: ask CPUID first, then hv.
    on_amd = cpuid(0).ebx != 0x756e'6547;  // "Genu"
    if (call(abi::Hypercall::Info, address_of(frame)) != 0)
        return false;
    return true;
}

}  // namespace

void set_up_machine() {
    init_serial();
    build_idt();
    // The firmware's 8259 timer would end every stay in a guest.
    out8(0x21, 0xff);
    out8(0xa1, 0xff);
    if (!find_hv()) {
        print("hv is not there");
        end(1);
    }
}

void enable_local_apic() {
    local_apic(0xf0) = 0x1ff;
}

void start_ticks(u32 count) {
    enable_local_apic();
    local_apic(0x3e0) = 0xb;       // divide by 1
    local_apic(0x320) = 0x2'0020;  // periodic, vector 32
    local_apic(0x380) = count;
}

void stop_ticks() {
    local_apic(0x380) = 0;
    asm volatile("sti; nop; cli");
}

void send_to_cpu(u32 apic_id, u32 command) {
    enable_local_apic();
    local_apic(0x310) = apic_id << 24;
    local_apic(0x300) = command;
}

void end_tick() {
    local_apic(0xb0) = 0;
}

const abi::HostInfo& host_info() {
    alignas(4096) static u8 frame[4096];
    call(abi::Hypercall::Info, address_of(frame));
    return *reinterpret_cast<const abi::HostInfo*>(frame);
}

abi::HostStats host_stats() {
    alignas(4096) static u8 frame[4096];
    abi::HostStats stats{};
    if (call(abi::Hypercall::Stats, address_of(frame)) == 0)
        std::memcpy(&stats, frame, sizeof stats);
    return stats;
}

bool on_qemu() {
    // fw_cfg's signature (QEMU's docs/specs/fw_cfg.txt); KVM has the same board and Intel's or
    // AMD's own processor.
    constexpr u16 kSelector = 0x510, kData = 0x511;
    asm volatile("outw %0, %1" : : "a"(static_cast<u16>(0)), "Nd"(kSelector));
    for (const char c : {'Q', 'E', 'M', 'U'}) {
        if (in8(kData) != static_cast<u8>(c))
            return false;
    }
    return on_amd;
}

void end(unsigned failed) {
    // QEMU's isa-debug-exit, else ACPI S5 of QEMU's and Bochs' PIIX4, else nothing.
    out8(0xf4, failed == 0 ? 16 : 1);
    asm volatile("outw %0, %1" : : "a"(static_cast<u16>(0x2000)), "Nd"(static_cast<u16>(0xb004)));
    asm volatile("outw %0, %1" : : "a"(static_cast<u16>(0x2000)), "Nd"(static_cast<u16>(0x604)));
    // Bochs' shutdown port.
    for (const char c : {'S', 'h', 'u', 't', 'd', 'o', 'w', 'n'})
        out8(0x8900, static_cast<u8>(c));
    halt_forever();
}

}  // namespace selftest

}  // namespace skep::hv
