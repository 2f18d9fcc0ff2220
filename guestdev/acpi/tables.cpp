#include <guestdev/acpi/tables.hpp>

#include <guestdev/acpi_pm/acpi_pm_bus.hpp>
#include <guestdev/ioapic/ioapic_bus.hpp>
#include <guestdev/mc146818/mc146818.hpp>

#include <cstring>
#include <span>
#include <string_view>

namespace skep::guestdev {
namespace {

// The compiled dsdt.asl.
#include <dsdt.hex>

constexpr std::uint32_t kLocalApicAddress = 0xfee0'0000;
constexpr std::uint16_t kResetPort = 0xcf9;
constexpr std::uint8_t kResetValue = 6;

class Table {
  public:
    Table() = default;
    // The common header (5.2.6); length and checksum follow in finish().
    Table(std::string_view signature, std::uint8_t revision) {
        text(signature, 4);
        u32(0);
        u8(revision);
        u8(0);
        text("SKEP", 6);
        text("SKEPVM", 8);
        u32(1);
        text("SKEP", 4);
        u32(1);
    }
    void u8(std::uint8_t value) { put(value); }
    void u16(std::uint16_t value) { put(value); }
    void u32(std::uint32_t value) { put(value); }
    void u64(std::uint64_t value) { put(value); }
    void zeros(std::size_t count) { bytes_.resize(bytes_.size() + count); }
    void text(std::string_view value, std::size_t size) {
        for (std::size_t i = 0; i < size; i++)
            bytes_.push_back(static_cast<std::byte>(i < value.size() ? value[i] : ' '));
    }
    // Generic address structure of an I/O port (5.2.3.2).
    void port(std::uint16_t address, std::uint8_t bits, std::uint8_t access_size) {
        u8(1);
        u8(bits);
        u8(0);
        u8(access_size);
        u64(address);
    }
    void set_u32(std::size_t offset, std::uint32_t value) {
        std::memcpy(&bytes_[offset], &value, sizeof value);
    }
    // Makes the sum of the first `count` bytes zero.
    void checksum(std::size_t offset, std::size_t count) {
        bytes_[offset] = std::byte{0};
        unsigned sum = 0;
        for (std::size_t i = 0; i < count; i++)
            sum += static_cast<unsigned>(bytes_[i]);
        bytes_[offset] = static_cast<std::byte>(0u - sum);
    }
    void finish() {
        set_u32(4, static_cast<std::uint32_t>(bytes_.size()));
        checksum(9, bytes_.size());
    }
    std::size_t size() const { return bytes_.size(); }
    std::span<const std::byte> bytes() const { return bytes_; }

  private:
    template <typename T>
    void put(T value) {
        auto at = bytes_.size();
        bytes_.resize(at + sizeof value);
        std::memcpy(&bytes_[at], &value, sizeof value);
    }
    std::vector<std::byte> bytes_;
};

// 5.2.12
Table madt(unsigned vcpus) {
    constexpr std::uint32_t kPcAtCompatible = 1;  // there is an 8259 pair
    enum Entry : std::uint8_t {
        kLocalApic = 0,
        kIoApic = 1,
        kOverride = 2,
        kLocalNmi = 4
    };
    constexpr std::uint16_t kLevelActiveHigh = 0x0d;
    Table table("APIC", 5);
    table.u32(kLocalApicAddress);
    table.u32(kPcAtCompatible);
    for (unsigned i = 0; i < vcpus; i++) {
        table.u8(kLocalApic);
        table.u8(8);
        table.u8(static_cast<std::uint8_t>(i));
        table.u8(static_cast<std::uint8_t>(i));
        table.u32(1);  // enabled
    }
    table.u8(kIoApic);
    table.u8(12);
    table.u8(0);
    table.u8(0);
    table.u32(static_cast<std::uint32_t>(IoApicBus::kBase));
    table.u32(0);
    auto override_source = [&](std::uint8_t irq, std::uint32_t input, std::uint16_t flags) {
        table.u8(kOverride);
        table.u8(10);
        table.u8(0);  // ISA
        table.u8(irq);
        table.u32(input);
        table.u16(flags);
    };
    override_source(0, 2, 0);
    override_source(AcpiPmBus::kSciInput, AcpiPmBus::kSciInput, kLevelActiveHigh);
    table.u8(kLocalNmi);
    table.u8(6);
    table.u8(0xff);  // every CPU
    table.u16(0);
    table.u8(1);  // LINT1
    table.finish();
    return table;
}

// 5.2.9
Table fadt(std::uint64_t facs, std::uint64_t dsdt) {
    constexpr std::uint16_t kLegacyDevices = 1, kNoVga = 4;
    constexpr std::uint32_t kWbinvd = 1, kC1 = 4, kNoSleepButton = 1 << 5, kNoFixedRtc = 1 << 6,
                            kResetRegister = 1 << 10;
    constexpr std::uint16_t kEvent = AcpiPmBus::kPort + AcpiPm::kEventBlock,
                            kControl = AcpiPmBus::kPort + AcpiPm::kControlBlock,
                            kTimer = AcpiPmBus::kPort + AcpiPm::kTimerBlock;
    Table table("FACP", 6);
    table.u32(static_cast<std::uint32_t>(facs));
    table.u32(static_cast<std::uint32_t>(dsdt));
    table.u8(0);
    table.u8(0);  // preferred profile: unspecified
    table.u16(AcpiPmBus::kSciInput);
    table.u32(0);    // no SMI command port: ACPI mode is always on
    table.zeros(4);  // ACPI enable, disable, S4BIOS, P-state control
    table.u32(kEvent);
    table.u32(0);
    table.u32(kControl);
    table.u32(0);
    table.u32(0);
    table.u32(kTimer);
    table.zeros(8);  // no general-purpose events
    table.u8(4);
    table.u8(2);
    table.u8(0);
    table.u8(4);
    table.zeros(4);
    table.u16(0xffff);  // no C2, C3
    table.u16(0xffff);
    table.zeros(8);  // cache flush, duty cycle, RTC alarms of day and month
    table.u8(Mc146818::kCenturyRegister);
    table.u16(kLegacyDevices | kNoVga);
    table.u8(0);
    table.u32(kWbinvd | kC1 | kNoSleepButton | kNoFixedRtc | kResetRegister);
    table.port(kResetPort, 8, 1);
    table.u8(kResetValue);
    table.u16(0);
    table.u8(4);  // minor version
    table.u64(facs);
    table.u64(dsdt);
    table.port(kEvent, 32, 3);
    table.zeros(12);
    table.port(kControl, 16, 2);
    table.zeros(24);
    table.port(kTimer, 32, 3);
    table.zeros(24 + 24 + 8);
    table.finish();
    return table;
}

// 5.2.10
Table facs() {
    Table table;
    table.text("FACS", 4);
    table.u32(64);
    table.zeros(24);
    table.u8(2);
    table.zeros(31);
    return table;
}

Table xsdt(std::uint64_t fadt, std::uint64_t madt) {
    Table table("XSDT", 1);
    table.u64(fadt);
    table.u64(madt);
    table.finish();
    return table;
}

// 5.2.5.3
Table rsdp(std::uint64_t xsdt) {
    constexpr std::size_t kFirstPart = 20, kSize = 36;
    Table table;
    table.text("RSD PTR ", 8);
    table.u8(0);
    table.text("SKEP", 6);
    table.u8(2);
    table.u32(0);  // no RSDT
    table.u32(kSize);
    table.u64(xsdt);
    table.zeros(4);
    table.checksum(8, kFirstPart);
    table.checksum(32, kSize);
    return table;
}

}  // namespace

std::vector<std::byte> acpi_tables(std::uint64_t address, unsigned vcpus) {
    constexpr std::size_t kRsdpSize = 64;  // room for it, so that what follows is aligned
    std::vector<std::byte> all(kRsdpSize);
    auto append = [&](std::span<const std::byte> bytes) {
        all.resize((all.size() + 63) & ~std::size_t{63});
        std::uint64_t at = address + all.size();
        all.insert(all.end(), bytes.begin(), bytes.end());
        return at;
    };
    std::uint64_t facs_at = append(facs().bytes());
    std::uint64_t dsdt_at = append(std::as_bytes(std::span(dsdt_aml_code)));
    std::uint64_t fadt_at = append(fadt(facs_at, dsdt_at).bytes());
    std::uint64_t madt_at = append(madt(vcpus).bytes());
    std::uint64_t xsdt_at = append(xsdt(fadt_at, madt_at).bytes());
    Table pointer = rsdp(xsdt_at);
    std::memcpy(all.data(), pointer.bytes().data(), pointer.size());
    return all;
}

}  // namespace skep::guestdev
