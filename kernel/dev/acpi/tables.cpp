#include <kernel/dev/acpi/tables.hpp>

#include <kernel/base/log.hpp>
#include <kernel/boot/multiboot2.hpp>

#include <cstring>
#include <string_view>

namespace skep::kernel {

AcpiMachine acpi_machine;

namespace {

template <typename T>
T read(const std::uint8_t* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

constexpr std::size_t kRsdpSize = 20;  // of revision 0, which the checksum covers
constexpr std::string_view kRsdpSignature = "RSD PTR ";

bool checks_out(const std::uint8_t* bytes, std::size_t size) {
    std::uint8_t sum = 0;
    for (std::size_t i = 0; i < size; i++)
        sum = static_cast<std::uint8_t>(sum + bytes[i]);
    return sum == 0;
}

bool is_rsdp(const std::uint8_t* p) {
    return std::memcmp(p, kRsdpSignature.data(), kRsdpSignature.size()) == 0 &&
           checks_out(p, kRsdpSize);
}

// ACPI 6.5, 5.2.5.1: the first KiB of the extended BIOS data area, then 0xe0000 to 0xfffff.
const std::uint8_t* search(std::uint64_t start, std::uint64_t end) {
    for (std::uint64_t a = start; a + kRsdpSize <= end; a += 16)
        if (const auto* p = static_cast<const std::uint8_t*>(direct_map({a})); is_rsdp(p))
            return p;
    return nullptr;
}

const std::uint8_t* find_rsdp(const BootInformation& boot) {
    if (is_rsdp(boot.rsdp.data()))
        return boot.rsdp.data();
    const std::uint64_t ebda =
        std::uint64_t{read<std::uint16_t>(static_cast<std::uint8_t*>(direct_map({0x40e})))} << 4;
    const std::uint8_t* found = ebda ? search(ebda, ebda + 1024) : nullptr;
    return found ? found : search(0xe0000, 0x100000);
}

// The table at a physical address, or nothing if it is not in mapped memory or damaged.
std::span<const std::uint8_t> table_at(std::uint64_t address) {
    if (address == 0 || address >= std::uint64_t{4} << 30)
        return {};
    const auto* p = static_cast<const std::uint8_t*>(direct_map({address}));
    const auto size = read<std::uint32_t>(p + 4);
    if (size < 36 || size > 1 << 20 || !checks_out(p, size))
        return {};
    return {p, size};
}

void use_table(std::span<const std::uint8_t> table, AcpiMachine& out) {
    if (table.empty())
        return;
    const std::string_view signature(reinterpret_cast<const char*>(table.data()), 4);
    if (signature == "APIC") {
        parse_madt(table, out);
    } else if (signature == "HPET") {
        parse_hpet(table, out);
    } else if (signature == "FACP" && table.size() >= 116) {
        parse_fadt(table, out);
        parse_s5(table_at(read<std::uint32_t>(table.data() + 40)), out);
    }
}

}  // namespace

void read_acpi_tables(const BootInformation& boot, AcpiMachine& out) {
    if (const std::uint8_t* rsdp = find_rsdp(boot)) {
        const bool extended = rsdp[15] >= 2;
        const auto root =
            table_at(extended ? read<std::uint64_t>(rsdp + 24) : read<std::uint32_t>(rsdp + 16));
        const std::size_t entry = extended ? 8 : 4;
        for (std::size_t at = 36; at + entry <= root.size(); at += entry)
            use_table(table_at(extended ? read<std::uint64_t>(root.data() + at)
                                        : read<std::uint32_t>(root.data() + at)),
                      out);
    } else {
        log("ACPI: no tables found");
    }
    if (out.io_apic_count == 0) {
        out.io_apics[0] = {0, {0xfec0'0000}, 0};
        out.io_apic_count = 1;
    }
    log("ACPI: {} CPU(s), {} IOAPIC(s), soft off {}", out.cpu_count, out.io_apic_count,
        out.pm1a_control && out.s5_type_a ? "known" : "unknown");
}

}  // namespace skep::kernel
