// Interrupt lines and messages to handlers. Lines go through the IOAPICs (82093AA data sheet), all
// to the boot CPU.
#include <kernel/dev/interrupt.hpp>

#include <kernel/arch/x86_64/apic.hpp>
#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/arch/x86_64/trap.hpp>
#include <kernel/base/list.hpp>
#include <kernel/base/log.hpp>
#include <kernel/dev/acpi/tables.hpp>
#include <kernel/dev/interrupt_impl.hpp>
#include <kernel/sync/spinlock.hpp>

#include <array>
#include <new>

namespace skep::kernel {

namespace {

struct Action : ListNode<> {
    InterruptHandler handler;
    void* context;
};

constexpr unsigned kVectors = kLastDeviceVector - kFirstDeviceVector + 1;
constexpr unsigned kMaxGsis = 256;
constexpr std::uint8_t kNoVector = 0;

// Actions are only ever added; dispatch walks the lists without the lock (the node is complete
// before it is linked at the end).
SpinLock table_lock("interrupts");
std::array<List<Action>, kVectors> actions;
std::array<std::uint8_t, kMaxGsis> vector_of_gsi;
unsigned next_vector = kFirstDeviceVector;

struct IoApic {
    volatile std::uint32_t* registers = nullptr;
    std::uint32_t first_gsi = 0, lines = 0;

    std::uint32_t read(std::uint32_t index) {
        registers[0] = index;
        return registers[4];
    }
    void write(std::uint32_t index, std::uint32_t value) {
        registers[0] = index;
        registers[4] = value;
    }
};
std::array<IoApic, 8> io_apics;

constexpr std::uint32_t kVersionRegister = 1, kRedirection = 0x10;
constexpr std::uint32_t kActiveLow = 1 << 13, kLevel = 1 << 15, kMasked = 1 << 16;

// The 8259s are unused, but may not raise anything either: remapped away from the exceptions and
// masked.
void silence_8259() {
    constexpr std::uint16_t kMaster = 0x20, kSlave = 0xa0;
    for (const std::uint16_t port : {kMaster, kSlave}) {
        out8(port, 0x11);                               // ICW1: edge, cascade, ICW4
        out8(port + 1, port == kMaster ? 0x20 : 0x28);  // ICW2: vectors
        out8(port + 1, port == kMaster ? 4 : 2);        // ICW3
        out8(port + 1, 1);                              // ICW4: 8086 mode
        out8(port + 1, 0xff);                           // OCW1: all masked
    }
}

Result<std::uint8_t> allocate_vector() {
    if (next_vector > kLastDeviceVector)
        return fail(Errno::NoSpc);
    return static_cast<std::uint8_t>(next_vector++);
}

struct Wiring {
    std::uint32_t gsi;
    bool level, active_low;
};

Wiring wiring_of(std::uint32_t line, Trigger trigger) {
    const AcpiMachine& m = acpi_machine;
    const bool level = trigger == Trigger::Level;
    // PCI lines above the ISA ones are active low; those routed to ISA lines follow the chipset's
    // inversion.
    Wiring wiring{line, level, level && line >= 16};
    for (std::size_t i = 0; i < m.override_count; i++) {
        const InterruptOverride& o = m.overrides[i];
        if (o.isa_line != line)
            continue;
        wiring.gsi = o.gsi;
        if (o.trigger_given)
            wiring.level = o.level;
        if (o.polarity_given)
            wiring.active_low = o.active_low;
    }
    return wiring;
}

}  // namespace

void init_interrupts() {
    silence_8259();
    for (std::size_t i = 0; i < acpi_machine.io_apic_count; i++) {
        auto mapped = map_device(acpi_machine.io_apics[i].address, kPageSize);
        if (!mapped)
            panic("cannot map IOAPIC {}", i);
        IoApic& apic = io_apics[i];
        apic.registers = static_cast<volatile std::uint32_t*>(*mapped);
        apic.first_gsi = acpi_machine.io_apics[i].first_gsi;
        apic.lines = (apic.read(kVersionRegister) >> 16 & 0xff) + 1;
        for (std::uint32_t line = 0; line < apic.lines; line++)
            apic.write(kRedirection + 2 * line, kMasked);
    }
}

Result<> attach_interrupt(std::uint32_t line, Trigger trigger, InterruptHandler handler,
                          void* context) {
    const Wiring wiring = wiring_of(line, trigger);
    IoApic* apic = nullptr;
    for (IoApic& a : io_apics)
        if (a.registers && wiring.gsi >= a.first_gsi && wiring.gsi - a.first_gsi < a.lines)
            apic = &a;
    if (!apic || wiring.gsi >= kMaxGsis)
        return fail(Errno::NxIo);
    auto* action = new (std::nothrow) Action;
    if (!action)
        return fail(Errno::NoMem);
    action->handler = handler;
    action->context = context;

    SpinGuard guard(table_lock);
    std::uint8_t& vector = vector_of_gsi[wiring.gsi];
    const bool fresh = vector == kNoVector;
    if (fresh) {
        auto allocated = allocate_vector();
        if (!allocated) {
            guard.unlock();
            delete action;
            return fail(allocated.error());
        }
        vector = *allocated;
    }
    actions[vector - kFirstDeviceVector].push_back(*action);
    if (fresh) {
        const std::uint32_t entry = kRedirection + 2 * (wiring.gsi - apic->first_gsi);
        apic->write(entry + 1, cpus[0]->apic_id << 24);
        apic->write(entry,
                    vector | (wiring.level ? kLevel : 0) | (wiring.active_low ? kActiveLow : 0));
    }
    return {};
}

Result<MsiMessage> attach_msi(InterruptHandler handler, void* context) {
    auto* action = new (std::nothrow) Action;
    if (!action)
        return fail(Errno::NoMem);
    action->handler = handler;
    action->context = context;
    SpinGuard guard(table_lock);
    auto vector = allocate_vector();
    if (!vector) {
        guard.unlock();
        delete action;
        return fail(vector.error());
    }
    actions[*vector - kFirstDeviceVector].push_back(*action);
    // SDM vol. 3, 11.11: fixed delivery, edge, physical destination.
    return MsiMessage{0xfee0'0000ull | cpus[0]->apic_id << 12, *vector};
}

void handle_device_interrupt(std::uint8_t vector) {
    for (Action& action : actions[vector - kFirstDeviceVector])
        action.handler(action.context);
    end_of_interrupt();
}

}  // namespace skep::kernel
