#include <kernel/dev/acpi/tables.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace skep::kernel {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes madt(const Bytes& entries) {
    Bytes t(36);
    const Bytes fields = {0x00, 0x00, 0xe0, 0xfe, 1, 0, 0, 0};
    t.insert(t.end(), fields.begin(), fields.end());
    t.insert(t.end(), entries.begin(), entries.end());
    return t;
}

TEST(Madt, CpusIoApicAndOverrides) {
    AcpiMachine m;
    parse_madt(madt({0, 8,  0, 0, 1,    0,    0,    0,                    //
                     0, 8,  1, 7, 1,    0,    0,    0,                    //
                     0, 8,  2, 9, 0,    0,    0,    0,                    // disabled
                     1, 12, 4, 0, 0x00, 0x00, 0xc0, 0xfe, 0,    0, 0, 0,  //
                     2, 10, 0, 0, 2,    0,    0,    0,    0,    0,        //
                     2, 10, 0, 9, 9,    0,    0,    0,    0x0d, 0}),
               m);
    ASSERT_EQ(m.cpu_count, 2u);
    EXPECT_EQ(m.apic_ids[1], 7u);
    ASSERT_EQ(m.io_apic_count, 1u);
    EXPECT_EQ(m.io_apics[0].address.value, 0xfec00000u);
    ASSERT_EQ(m.override_count, 2u);
    EXPECT_EQ(m.overrides[0].gsi, 2u);
    EXPECT_FALSE(m.overrides[0].trigger_given);
    EXPECT_TRUE(m.overrides[1].level);
    EXPECT_FALSE(m.overrides[1].active_low);
}

TEST(Madt, StopsAtMalformedEntries) {
    AcpiMachine m;
    parse_madt(madt({0, 8, 0, 3, 1, 0, 0, 0, 0, 0}), m);
    EXPECT_EQ(m.cpu_count, 1u);
    parse_madt(madt({0, 200, 0, 3}), m);
    parse_madt(Bytes(10), m);
    EXPECT_EQ(m.cpu_count, 1u);
}

TEST(Hpet, InMemoryOnly) {
    Bytes table(56);
    table[44 + 1] = 0x10;
    table[44 + 3] = 0xfe;
    AcpiMachine m;
    parse_hpet(table, m);
    ASSERT_TRUE(m.hpet);
    EXPECT_EQ(m.hpet->value, 0xfe001000u);
    AcpiMachine none;
    parse_hpet(std::span(table).first(50), none);
    table[40] = 1;  // I/O ports
    parse_hpet(table, none);
    EXPECT_FALSE(none.hpet);
}

TEST(S5, QemuAndBochsForms) {
    AcpiMachine m;
    const Bytes qemu = {0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x00, 0x00, 0x00, 0x00};
    parse_s5(qemu, m);
    EXPECT_EQ(m.s5_type_a, 0);
    const Bytes with_bytes = {0x08, '_', 'S', '5', '_', 0x12, 0x0a, 0x04, 0x0a, 0x05, 0x0a, 0x06};
    parse_s5(with_bytes, m);
    EXPECT_EQ(m.s5_type_a, 5);
    EXPECT_EQ(m.s5_type_b, 6);
    const Bytes cut = {'_', 'S', '5', '_', 0x12};
    AcpiMachine none;
    parse_s5(Bytes{'_', 'S', '5'}, none);
    EXPECT_FALSE(none.s5_type_a);
    parse_s5(cut, none);
}

}  // namespace
}  // namespace skep::kernel
