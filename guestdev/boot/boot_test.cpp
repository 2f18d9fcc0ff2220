#include <guestdev/acpi/tables.hpp>
#include <guestdev/boot/linux_boot.hpp>
#include <guestdev/boot/memory_map.hpp>
#include <guestdev/boot/test_kernel_test.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <map>

namespace skep::guestdev {
namespace {

struct LinuxBootTest : testing::Test {
    LinuxBootTest() { memory.add(0, ram); }
    std::string error(const ImageSource& kernel, const ImageSource* initrd = nullptr,
                      std::string command_line = "") {
        auto result = load_linux({.kernel = kernel,
                                  .initrd = initrd,
                                  .command_line = command_line,
                                  .memory_bytes = ram.size(),
                                  .rsdp_address = 0xe0000},
                                 memory);
        return result ? "" : result.error().message;
    }
    template <typename T>
    T at(std::uint64_t address) {
        return *memory.read<T>(address);
    }
    std::vector<std::byte> ram = std::vector<std::byte>(64 * kMiB);
    GuestMemory memory;
};

TEST_F(LinuxBootTest, LaysEverythingOut) {
    MemoryImage kernel(test_kernel());
    MemoryImage initrd(std::vector<std::byte>(10'000, std::byte{0x5a}));
    auto fields = load_linux({.kernel = kernel,
                              .initrd = &initrd,
                              .command_line = "console=ttyS0",
                              .memory_bytes = ram.size(),
                              .rsdp_address = 0xe0000},
                             memory);
    ASSERT_TRUE(fields) << fields.error().message;
    std::map<abi::Field, std::uint64_t> values;
    for (const auto& field : *fields)
        values[field.id] = field.value;
    EXPECT_EQ(values[abi::Field::Rip], 16 * kMiB + 0x200);
    EXPECT_EQ(values[abi::Field::Rsi], kZeroPageAddress);
    EXPECT_EQ(values[abi::Field::Cr3], kPageTablesAddress);
    EXPECT_EQ(at<std::uint32_t>(16 * kMiB), 0xfeedf00du);
    EXPECT_EQ(at<std::uint64_t>(kZeroPageAddress + 0x70), 0xe0000u);
    EXPECT_EQ(at<std::uint8_t>(kZeroPageAddress + 0x210), 0xff);
    EXPECT_STREQ(reinterpret_cast<const char*>(&ram[at<std::uint32_t>(kZeroPageAddress + 0x228)]),
                 "console=ttyS0");
    std::uint32_t initrd_at = at<std::uint32_t>(kZeroPageAddress + 0x218);
    EXPECT_EQ(at<std::uint32_t>(kZeroPageAddress + 0x21c), 10'000u);
    EXPECT_EQ(initrd_at % 4096, 0u);
    EXPECT_EQ(initrd_at, 64 * kMiB - 3 * 4096);
    EXPECT_EQ(ram[initrd_at + 9'999], std::byte{0x5a});
    EXPECT_EQ(at<std::uint8_t>(kZeroPageAddress + 0x1e8), 4);
    EXPECT_EQ(at<std::uint64_t>(kZeroPageAddress + 0x2d0 + 3 * 20), kMiB);
    EXPECT_EQ(at<std::uint64_t>(kZeroPageAddress + 0x2d0 + 3 * 20 + 8), 63 * kMiB);
    // The page tables map one to one.
    EXPECT_EQ(at<std::uint64_t>(kPageTablesAddress + 2 * 4096 + 511 * 8), 511 * 2 * kMiB + 0x83);
}

TEST_F(LinuxBootTest, NamesWhatIsWrongWithTheImage) {
    auto changed = [&](unsigned offset, std::uint64_t value, unsigned size) {
        auto bytes = test_kernel();
        std::memcpy(&bytes[offset], &value, size);
        return error(MemoryImage(std::move(bytes)));
    };
    EXPECT_EQ(error(MemoryImage(std::vector<std::byte>(100))),
              "kernel image: not a Linux bzImage (too short)");
    EXPECT_EQ(changed(0x202, 0, 4), "kernel image: not a Linux bzImage (no boot header)");
    EXPECT_EQ(changed(0x206, 0x0209, 2), "kernel image: boot protocol 2.9, needed is 2.12");
    EXPECT_EQ(changed(0x236, 0, 2), "kernel image: it has no 64-bit entry point");
    EXPECT_EQ(changed(0x1f1, 0xff, 1), "kernel image: it ends before its code begins");
    EXPECT_EQ(changed(0x258, ~0ull, 8),
              "kernel image: its preferred address or size is out of range");
    EXPECT_EQ(changed(0x260, 100 * kMiB, 4),
              "kernel image: it needs 116 MiB of memory to start, the guest has 64 MiB");
    EXPECT_EQ(changed(0x200, 0, 0), "");
}

TEST_F(LinuxBootTest, NamesWhatDoesNotFit) {
    MemoryImage kernel(test_kernel());
    EXPECT_EQ(error(kernel, nullptr, std::string(300, 'x')),
              "command line: 300 bytes, the kernel takes 255");
    MemoryImage initrd(std::vector<std::byte>(45 * kMiB));
    EXPECT_EQ(error(kernel, &initrd),
              "initrd: 45 MiB do not fit above the kernel's 20 MiB in 64 MiB");
}

TEST(RamRanges, LeaveTheHoleBelow4GiB) {
    EXPECT_EQ(ram_ranges(kGiB).size(), 1u);
    auto ranges = ram_ranges(5 * kGiB);
    ASSERT_EQ(ranges.size(), 2u);
    EXPECT_EQ(ranges[0].size, 3 * kGiB);
    EXPECT_EQ(ranges[1].gpa, 4 * kGiB);
    EXPECT_EQ(ranges[1].size, 2 * kGiB);
}

// ---- ACPI: what an operating system does to find and check the tables

struct AcpiTest : testing::Test {
    static constexpr std::uint64_t kBase = 0xe0000;
    std::vector<std::byte> all = acpi_tables(kBase, 3);
    template <typename T>
    T get(std::uint64_t address) {
        T value;
        std::memcpy(&value, &all.at(address - kBase), sizeof value);
        EXPECT_LE(address - kBase + sizeof value, all.size());
        return value;
    }
    std::string signature(std::uint64_t address) {
        return {reinterpret_cast<const char*>(&all.at(address - kBase)), 4};
    }
    unsigned sum(std::uint64_t address, std::size_t size) {
        unsigned total = 0;
        for (std::size_t i = 0; i < size; i++)
            total += static_cast<unsigned>(all.at(address - kBase + i));
        return total & 0xff;
    }
};

TEST_F(AcpiTest, TablesAreFoundAndWhole) {
    EXPECT_EQ(std::memcmp(all.data(), "RSD PTR ", 8), 0);
    EXPECT_EQ(sum(kBase, 20), 0u);
    EXPECT_EQ(sum(kBase, 36), 0u);
    auto xsdt = get<std::uint64_t>(kBase + 24);
    EXPECT_EQ(signature(xsdt), "XSDT");
    std::map<std::string, std::uint64_t> tables;
    auto length = get<std::uint32_t>(xsdt + 4);
    for (std::uint32_t at = 36; at < length; at += 8) {
        auto table = get<std::uint64_t>(xsdt + at);
        tables[signature(table)] = table;
        EXPECT_EQ(sum(table, get<std::uint32_t>(table + 4)), 0u) << signature(table);
    }
    ASSERT_TRUE(tables.contains("FACP") && tables.contains("APIC"));
    std::uint64_t fadt = tables["FACP"];
    EXPECT_EQ(get<std::uint32_t>(fadt + 4), 276u);
    EXPECT_EQ(signature(get<std::uint64_t>(fadt + 140)), "DSDT");
    EXPECT_EQ(get<std::uint32_t>(fadt + 40), get<std::uint64_t>(fadt + 140));
    EXPECT_EQ(signature(get<std::uint64_t>(fadt + 132)), "FACS");
    EXPECT_EQ(get<std::uint64_t>(fadt + 132) % 64, 0u);
    EXPECT_EQ(get<std::uint32_t>(fadt + 56), 0x600u);
    EXPECT_EQ(get<std::uint64_t>(fadt + 148 + 4), 0x600u);
    EXPECT_EQ(get<std::uint64_t>(fadt + 172 + 4), 0x604u);
    EXPECT_EQ(get<std::uint64_t>(fadt + 208 + 4), 0x608u);
    EXPECT_EQ(get<std::uint8_t>(fadt + 108), 0x32);
    EXPECT_EQ(get<std::uint64_t>(fadt + 116 + 4), 0xcf9u);
    EXPECT_EQ(get<std::uint8_t>(fadt + 128), 6);
}

TEST_F(AcpiTest, MadtListsEveryCpuAndTheIoApic) {
    auto xsdt = get<std::uint64_t>(kBase + 24);
    auto madt = get<std::uint64_t>(xsdt + 36 + 8);
    ASSERT_EQ(signature(madt), "APIC");
    std::map<unsigned, unsigned> entries;
    for (std::uint64_t at = madt + 44; at < madt + get<std::uint32_t>(madt + 4);
         at += get<std::uint8_t>(at + 1)) {
        entries[get<std::uint8_t>(at)]++;
        ASSERT_NE(get<std::uint8_t>(at + 1), 0);
    }
    EXPECT_EQ(entries, (std::map<unsigned, unsigned>{{0, 3}, {1, 1}, {2, 2}, {4, 1}}));
}

}  // namespace
}  // namespace skep::guestdev
