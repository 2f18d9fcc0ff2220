#include <guestdev/core/persist_test.hpp>
#include <guestdev/pci/pci_config.hpp>
#include <guestdev/pci/pci_host.hpp>

#include <gtest/gtest.h>

namespace skep::guestdev {
namespace {

constexpr PciIdentity kIdentity = {0x1af4, 0x1042, 0x1af4, 2, 0x018000, 1};

TEST(PciConfig, IdentityAndSizing) {
    PciConfig config(kIdentity);
    config.add_memory_bar(0, 0x8000, 0xfe00'0000);
    EXPECT_EQ(config.read(0, 4), 0x1042'1af4u);
    EXPECT_EQ(config.read(8, 4), 0x0180'0001u);
    config.write(0, 4, 0);
    EXPECT_EQ(config.read(0, 4), 0x1042'1af4u);
    config.write(pci::kBar0, 4, 0xffff'ffff);
    EXPECT_EQ(config.read(pci::kBar0, 4), 0xffff'8000u);
    config.write(pci::kBar0, 4, 0xc000'1234);
    EXPECT_EQ(config.bar_address(0), 0xc000'0000u);
}

TEST(PciConfig, CapabilityList) {
    PciConfig config(kIdentity);
    std::array<std::uint8_t, 3> body = {1, 2, 3};
    EXPECT_EQ(config.add_capability(9, body), 0x40u);
    EXPECT_EQ(config.add_capability(0x11, body), 0x48u);
    EXPECT_EQ(config.read(pci::kCapabilities, 1), 0x40u);
    EXPECT_EQ(config.read(0x40, 2), 0x4809u);
    EXPECT_EQ(config.read(0x48, 2), 0x0011u);
    EXPECT_TRUE(config.read(pci::kStatus, 2) & pci::kStatusCapabilities);
}

struct PciHostTest : testing::Test {
    PciHostTest() {
        EXPECT_TRUE(host.attach(ports));
        EXPECT_TRUE(host.plug(0, bridge));
    }
    std::uint8_t reset = 0;
    Bus ports;
    PciHost host{{[this] { return reset; }, [this](std::uint8_t value) { reset = value; }}};
    PciBridge bridge;
};

TEST_F(PciHostTest, MechanismOne) {
    // Linux's probe: a byte to 0xcfb must not disturb the address.
    ports.write(0xcf8, 4, 0x8000'0000);
    ports.write(0xcfb, 1, 1);
    EXPECT_EQ(ports.read(0xcf8, 4), 0x8000'0000u);
    EXPECT_EQ(ports.read(0xcfc, 4), 0x1237'8086u);
    EXPECT_EQ(ports.read(0xcfe, 2), 0x1237u);
    ports.write(0xcf8, 4, 0x8000'0008);
    EXPECT_EQ(ports.read(0xcff, 1), 0x06u);
}

TEST_F(PciHostTest, AbsentDevicesReadOnes) {
    for (std::uint32_t address : {0x8000'0800u, 0x8000'0100u, 0x8001'0000u, 0x0000'0000u}) {
        ports.write(0xcf8, 4, address);
        EXPECT_EQ(ports.read(0xcfc, 4), 0xffff'ffffu) << std::hex << address;
    }
    EXPECT_FALSE(host.plug(0, bridge));
    EXPECT_FALSE(host.plug(32, bridge));
}

TEST_F(PciHostTest, ResetControlIsAByteOfItsOwn) {
    ports.write(0xcf9, 1, 6);
    EXPECT_EQ(reset, 6);
    EXPECT_EQ(ports.read(0xcf9, 1), 6u);
    EXPECT_EQ(ports.read(0xcf8, 4), 0u);
}

TEST_F(PciHostTest, RestoresAndRefusesAnotherFunction) {
    ports.write(0xcf8, 4, 0x8000'1234);
    PciHost other{{[] { return std::uint8_t{0}; }, [](std::uint8_t) {}}};
    ASSERT_TRUE(persist(host, other));
    EXPECT_EQ(other.read(0, 4), 0x8000'1234u);

    snapshot::v1::PciBridge state;
    state.mutable_function()->set_config(std::string(256, '\0'));
    EXPECT_EQ(restore_error(bridge, state),
              "device pci-bridge 00:00.0: configuration byte 0x00 is 0x00, this device has 0x86");
    state.mutable_function()->set_config("x");
    EXPECT_EQ(restore_error(bridge, state),
              "device pci-bridge 00:00.0: configuration space is not 256 bytes");
}

}  // namespace
}  // namespace skep::guestdev
