// Hardware-free: tables as bytes.
#include <kernel/dev/acpi/tables.hpp>

#include <algorithm>
#include <cstring>

namespace skep::kernel {

namespace {

template <typename T>
T read(std::span<const std::uint8_t> bytes, std::size_t at) {
    T value{};
    if (at + sizeof value <= bytes.size())
        std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}

constexpr std::size_t kHeaderSize = 36;

// Interrupt controller structures, ACPI 6.5, table 5.21.
enum class MadtEntry : std::uint8_t {
    LocalApic = 0,
    IoApic = 1,
    Override = 2,
    LocalApicAddress = 5,
    LocalX2Apic = 9
};
constexpr std::uint32_t kProcessorEnabled = 1;

void add_cpu(AcpiMachine& out, std::uint32_t apic_id, std::uint32_t flags) {
    if (flags & kProcessorEnabled && out.cpu_count < out.apic_ids.size())
        out.apic_ids[out.cpu_count++] = apic_id;
}

void parse_override(std::span<const std::uint8_t> e, AcpiMachine& out) {
    if (out.override_count == out.overrides.size())
        return;
    const auto flags = read<std::uint16_t>(e, 8);
    const unsigned polarity = flags & 3, trigger = flags >> 2 & 3;  // 0: as the bus has it
    out.overrides[out.override_count++] = {
        .isa_line = read<std::uint8_t>(e, 3),
        .gsi = read<std::uint32_t>(e, 4),
        .active_low = polarity == 3,
        .level = trigger == 3,
        .polarity_given = polarity != 0,
        .trigger_given = trigger != 0,
    };
}

}  // namespace

void parse_madt(std::span<const std::uint8_t> table, AcpiMachine& out) {
    out.local_apic = {read<std::uint32_t>(table, kHeaderSize)};
    for (std::size_t at = kHeaderSize + 8; at + 2 <= table.size();) {
        const std::size_t size = table[at + 1];
        if (size < 2 || at + size > table.size())
            return;
        const auto e = table.subspan(at, size);
        switch (static_cast<MadtEntry>(e[0])) {
            case MadtEntry::LocalApic:
                add_cpu(out, read<std::uint8_t>(e, 3), read<std::uint32_t>(e, 4));
                break;
            case MadtEntry::LocalX2Apic:
                add_cpu(out, read<std::uint32_t>(e, 4), read<std::uint32_t>(e, 8));
                break;
            case MadtEntry::IoApic:
                if (out.io_apic_count < out.io_apics.size())
                    out.io_apics[out.io_apic_count++] = {read<std::uint8_t>(e, 2),
                                                         {read<std::uint32_t>(e, 4)},
                                                         read<std::uint32_t>(e, 8)};
                break;
            case MadtEntry::Override:
                parse_override(e, out);
                break;
            case MadtEntry::LocalApicAddress:
                out.local_apic = {read<std::uint64_t>(e, 4)};
                break;
            default:
                break;
        }
        at += size;
    }
}

void parse_fadt(std::span<const std::uint8_t> table, AcpiMachine& out) {
    out.pm1a_control = static_cast<std::uint16_t>(read<std::uint32_t>(table, 64));
    out.pm1b_control = static_cast<std::uint16_t>(read<std::uint32_t>(table, 68));
    constexpr std::uint32_t kResetSupported = 1 << 10;
    constexpr std::uint8_t kSystemIo = 1;
    if (read<std::uint32_t>(table, 112) & kResetSupported &&
        read<std::uint8_t>(table, 116) == kSystemIo) {
        out.reset_port = static_cast<std::uint16_t>(read<std::uint64_t>(table, 120));
        out.reset_value = read<std::uint8_t>(table, 128);
    }
}

// IA-PC HPET specification 1.0a, 3.2.4.
void parse_hpet(std::span<const std::uint8_t> table, AcpiMachine& out) {
    constexpr std::uint8_t kSystemMemory = 0;
    const auto address = read<std::uint64_t>(table, 44);
    if (table.size() >= 56 && read<std::uint8_t>(table, 40) == kSystemMemory && address &&
        !out.hpet)
        out.hpet = PhysAddr{address};
}

void parse_s5(std::span<const std::uint8_t> dsdt, AcpiMachine& out) {
    // Name (\_S5, Package (n) { SLP_TYPa, SLP_TYPb, ... }): "_S5_", PackageOp, PkgLength,
    // NumElements, then integers (ACPI 6.5, 20.2.5.4 and 20.2.3).
    constexpr std::array<std::uint8_t, 5> kPattern = {'_', 'S', '5', '_', 0x12};
    const auto found = std::ranges::search(dsdt, kPattern);
    if (found.empty())
        return;
    auto at = static_cast<std::size_t>(found.end() - dsdt.begin());
    at += 1 + (read<std::uint8_t>(dsdt, at) >> 6) + 1;  // PkgLength has 0 to 3 more bytes
    auto integer = [&]() -> std::optional<std::uint8_t> {
        constexpr std::uint8_t kZero = 0x00, kOne = 0x01, kByte = 0x0a;
        switch (const auto op = read<std::uint8_t>(dsdt, at++)) {
            case kZero:
            case kOne:
                return op;
            case kByte:
                return read<std::uint8_t>(dsdt, at++) & 7;
            default:
                return std::nullopt;
        }
    };
    out.s5_type_a = integer();
    out.s5_type_b = integer();
}

}  // namespace skep::kernel
