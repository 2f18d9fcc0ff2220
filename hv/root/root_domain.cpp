#include "hv/root/root_domain.hpp"

#include "hv/arch/instructions.hpp"
#include "hv/arch/registers.hpp"
#include "hv/boot/multiboot.hpp"
#include "hv/cpu/features.hpp"
#include "hv/cpu/physical_apic.hpp"
#include "hv/lib/panic.hpp"
#include "hv/memory/layout.hpp"
#include "hv/memory/ownership.hpp"
#include "hv/memory/pool_memory.hpp"
#include "hv/root/identity_map.hpp"
#include "hv/root/root_exits.hpp"

namespace skep::hv {

using abi::Field;

namespace {

// Multiboot2 specification, 3.3: 32-bit protected mode, flat segments, paging and interrupts off.
void write_entry_state(HardwareVcpu& root, const RootEntry& entry) {
    constexpr u64 kFlatCode = 0xc09b, kFlatData = 0xc093, kUnusable = 1 << 16, kBusyTss = 0x8b;
    const auto segment = [&](Field selector, u64 value, u64 limit, u64 access) {
        const auto first = static_cast<u32>(selector);
        root.write(static_cast<Field>(first), value);
        root.write(static_cast<Field>(first + 1), 0);
        root.write(static_cast<Field>(first + 2), limit);
        root.write(static_cast<Field>(first + 3), access);
    };
    root.general = {};
    root.general.rax = entry.eax;
    root.general.rbx = entry.ebx;
    root.write(Field::Rsp, 0);
    root.write(Field::Rip, entry.eip);
    root.write(Field::Rflags, rflags::kReserved1);
    segment(Field::CsSelector, kCodeSelector, 0xffff'ffff, kFlatCode);
    for (const Field data : {Field::EsSelector, Field::SsSelector, Field::DsSelector,
                             Field::FsSelector, Field::GsSelector})
        segment(data, kDataSelector, 0xffff'ffff, kFlatData);
    segment(Field::LdtrSelector, 0, 0xffff, kUnusable);
    segment(Field::TrSelector, 0, 0xffff, kBusyTss);
    root.write(Field::GdtrBase, 0);
    root.write(Field::GdtrLimit, 0xffff);
    root.write(Field::IdtrBase, 0);
    root.write(Field::IdtrLimit, 0xffff);
    root.write(Field::Efer, 0);
    root.write(Field::Cr0, cr0::kPe | cr0::kEt | cr0::kNe);
    root.write(Field::Cr3, 0);
    root.write(Field::Cr4, 0);
    root.write(Field::Dr6, 0xffff'0ff0);
    root.write(Field::Dr7, 0x400);
    root.write(Field::Pat, read_msr(msr::kPat));
}

void prepare(Cpu& cpu) {
    backend().enable_cpu();
    const auto root = backend().create_root(identity_map_root());
    if (!root)
        panic("no memory for the root domain's CPU {}", cpu.index);
    cpu.root = *root;
}

[[noreturn]] void enter(Cpu& cpu, const RootEntry& entry) {
    HardwareVcpu& root = *cpu.root;
    // The root domain's kernel starts from the CPU's own reset value.
    write_xcr0(1);
    if (has_tsc_aux())
        cpu.root_tsc_aux = read_msr(msr::kTscAux);
    root.acquire(cpu);
    write_entry_state(root, entry);
    for (;;) {
        root.enter();
        handle_root_exit(cpu, root, root.exit);
    }
}

}  // namespace

void root_domain_drop_translations(const Cpu& self) {
    self.root->flush_tlb();
    for (unsigned i = 0; i < cpu_count(); ++i) {
        Cpu& cpu = cpu_at(i);
        if (&cpu == &self || !cpu.running)
            continue;
        cpu.drop_translations = true;
        // Until one leaves the root domain or a guest: what is under way in hv is over by then.
        while (cpu.drop_translations) {
            cpu.kicked = true;
            send_ipi(cpu.apic_id, Ipi::Nmi);
            for (int spin = 0; spin < 10'000 && cpu.drop_translations; ++spin)
                pause();
        }
    }
}

void root_domain_create(Cpu& cpu) {
    identity_map_build();
    prepare(cpu);
    cpu.running = true;
}

void root_domain_start(Cpu& cpu, const RootEntry& entry) {
    enter(cpu, entry);
}

void root_domain_park(Cpu& cpu) {
    prepare(cpu);
    cpu.online.store(true, std::memory_order_release);
    // Interrupts are off; the releaser sends NMIs until this CPU has seen its entry.
    while (!cpu.released.load(std::memory_order_acquire))
        asm volatile("hlt");
    const RootEntry entry = cpu.entry;
    cpu.pending = 0;
    cpu.running.store(true, std::memory_order_release);
    enter(cpu, entry);
}

Status root_domain_release(Cpu& cpu, u32 entry, u32 argument) {
    static Spinlock lock;
    auto guard = lock.lock();
    if (cpu.running)
        return fail(abi::Error::Exists);
    cpu.entry = {entry, multiboot::kLoaderMagic, argument};
    cpu.released.store(true, std::memory_order_release);
    while (!cpu.running.load(std::memory_order_acquire)) {
        cpu.kicked = true;  // no NMI of the root domain's
        send_ipi(cpu.apic_id, Ipi::Nmi);
        for (int spin = 0; spin < 10'000 && !cpu.running; ++spin)
            pause();
    }
    return {};
}

}  // namespace skep::hv
