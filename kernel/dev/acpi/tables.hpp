// The static ACPI tables that the kernel needs (ACPI 6.5, chapter 5): MADT, FADT, HPET, and \_S5 of
// the DSDT. No AML is run.
#pragma once

#include <kernel/mm/physical.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace skep::kernel {

struct BootInformation;

struct IoApicEntry {
    std::uint8_t id;
    PhysAddr address;
    std::uint32_t first_gsi;
};
// An ISA line that is wired differently from "same number, edge, active high".
struct InterruptOverride {
    std::uint8_t isa_line;
    std::uint32_t gsi;
    bool active_low, level, polarity_given, trigger_given;
};

struct AcpiMachine {
    PhysAddr local_apic{0xfee0'0000};
    std::array<std::uint32_t, 64> apic_ids;
    std::size_t cpu_count = 0;
    std::array<IoApicEntry, 8> io_apics;
    std::size_t io_apic_count = 0;
    std::array<InterruptOverride, 24> overrides;
    std::size_t override_count = 0;

    std::uint16_t pm1a_control = 0, pm1b_control = 0;  // I/O ports, 0: none
    std::optional<std::uint8_t> s5_type_a, s5_type_b;  // SLP_TYP for soft off
    std::uint16_t reset_port = 0;                      // 0: none
    std::uint8_t reset_value = 0;
    std::optional<PhysAddr> hpet;  // its registers
};

// Searches from the loader's RSDP, or the BIOS area. Without tables: one CPU, the usual addresses.
void read_acpi_tables(const BootInformation& boot, AcpiMachine& out);
extern AcpiMachine acpi_machine;

// Parsers of single tables, header included; for tests.
void parse_madt(std::span<const std::uint8_t> table, AcpiMachine& out);
void parse_fadt(std::span<const std::uint8_t> table, AcpiMachine& out);
void parse_hpet(std::span<const std::uint8_t> table, AcpiMachine& out);
void parse_s5(std::span<const std::uint8_t> dsdt, AcpiMachine& out);

}  // namespace skep::kernel
