#include <guestdev/core/persist_test.hpp>
#include <guestdev/virtio_blk/virtio_blk_bus.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace skep::guestdev {
namespace {

// A driver by hand: rings at fixed places in 64 KiB of RAM, one disk of 64 sectors.
struct VirtioBlkTest : testing::Test {
    static constexpr std::uint64_t kBar = 0xfe00'0000;
    static constexpr std::uint64_t kDescriptors = 0x1000, kAvailable = 0x2000, kUsed = 0x3000;
    static constexpr std::uint64_t kHeader = 0x4000, kData = 0x5000, kStatus = 0x6000;

    VirtioPciWiring wiring(bool& level) {
        return {.memory_bus = bus,
                .memory = memory,
                .msi = [this](const Msi& msi) { sent.push_back(msi); },
                .intx = IrqLine([&level](bool up) { level = up; }),
                .interrupt_line = 10,
                .bar_address = kBar};
    }
    VirtioBlkTest() {
        memory.add(0, ram);
        disk.pci().config_write(pci::kCommand, 2, pci::kCommandMemory | pci::kCommandBusMaster);
    }

    void common(std::uint64_t offset, unsigned size, std::uint64_t value) {
        bus.write(kBar + offset, size, value);
    }
    void start(std::uint64_t features = kVirtioVersion1) {
        common(0x14, 1, 0);
        common(0x14, 1, 3);
        for (std::uint32_t half : {0u, 1u}) {
            common(0x08, 4, half);
            common(0x0c, 4, features >> half * 32 & 0xffff'ffff);
        }
        common(0x14, 1, 0x0b);
        common(0x16, 2, 0);
        common(0x18, 2, 16);
        common(0x1a, 2, 0);
        common(0x20, 8, kDescriptors);
        common(0x28, 4, kAvailable);
        common(0x2c, 4, 0);
        common(0x30, 8, kUsed);
        common(0x1c, 2, 1);
        common(0x14, 1, 0x0f);
    }
    void descriptor(unsigned index, std::uint64_t address, std::uint32_t length,
                    std::uint16_t flags, std::uint16_t next = 0) {
        std::uint64_t at = kDescriptors + 16 * index;
        ASSERT_TRUE(memory.write(at, address) && memory.write(at + 8, length) &&
                    memory.write(at + 12, flags) && memory.write(at + 14, next));
    }
    void request(std::uint32_t type, std::uint64_t sector, std::uint32_t length) {
        ASSERT_TRUE(memory.write(kHeader, type) && memory.write(kHeader + 8, sector));
        ASSERT_TRUE(memory.write(kStatus, std::uint8_t{0xee}));
        descriptor(0, kHeader, 16, 1, 1);
        descriptor(1, kData, length, type == 1 ? 1 : 3, 2);
        descriptor(2, kStatus, 1, 2);
        offer(0);
    }
    void offer(std::uint16_t head) {
        ASSERT_TRUE(memory.write(kAvailable + 4 + 2 * (available % 16), head));
        available++;
        ASSERT_TRUE(memory.write(kAvailable + 2, available));
        bus.write(kBar + 0x3000, 2, 0);
    }
    std::uint8_t status() { return *memory.read<std::uint8_t>(kStatus); }
    std::uint16_t used() { return *memory.read<std::uint16_t>(kUsed + 2); }

    std::vector<std::byte> ram = std::vector<std::byte>(0x10000);
    GuestMemory memory;
    Bus bus;
    std::vector<Msi> sent;
    bool intx = false;
    MemoryBackend backend{64 * 512};
    VirtioBlkBus disk{"00:02.0", backend, "data", false, wiring(intx)};
    std::uint16_t available = 0;
};

TEST_F(VirtioBlkTest, IdentityAndCapabilities) {
    EXPECT_EQ(disk.pci().config_read(0, 4), 0x1042'1af4u);
    unsigned types = 0;
    for (unsigned at = disk.pci().config_read(pci::kCapabilities, 1); at != 0;
         at = disk.pci().config_read(at + 1, 1)) {
        unsigned id = disk.pci().config_read(at, 1);
        types |= id == 9 ? 1u << disk.pci().config_read(at + 3, 1) : id == 0x11 ? 1u << 31 : 1u;
    }
    EXPECT_EQ(types, 1u << 31 | 0b111110u);
    EXPECT_EQ(bus.read(kBar + 0x2000, 8), 64u);
}

TEST_F(VirtioBlkTest, ReadsAndWrites) {
    start();
    ram[kData] = std::byte{0x5a};
    request(1, 3, 512);
    EXPECT_EQ(status(), 0);
    EXPECT_EQ(backend.bytes[3 * 512], std::byte{0x5a});
    EXPECT_TRUE(intx);
    EXPECT_EQ(bus.read(kBar + 0x1000, 1), 1u);
    EXPECT_FALSE(intx);
    ram[kData] = std::byte{0};
    request(0, 3, 1024);
    EXPECT_EQ(status(), 0);
    EXPECT_EQ(ram[kData], std::byte{0x5a});
    EXPECT_EQ(used(), 2);
    EXPECT_EQ(*memory.read<std::uint32_t>(kUsed + 4 + 8 + 4), 1025u);
}

TEST_F(VirtioBlkTest, RefusesBeyondTheEndAndUnknownTypes) {
    start();
    request(0, 63, 1024);
    EXPECT_EQ(status(), 1);
    request(0, ~0ull, 512);
    EXPECT_EQ(status(), 1);
    request(0, 1ull << 55, 512);
    EXPECT_EQ(status(), 1);
    request(1, 0, 100);
    EXPECT_EQ(status(), 1);
    request(77, 0, 512);
    EXPECT_EQ(status(), 2);
    request(4, 0, 512);
    EXPECT_EQ(status(), 0);
    EXPECT_EQ(backend.flushes, 1u);
    request(8, 0, 20);
    EXPECT_EQ(std::memcmp(&ram[kData], "data\0", 5), 0);
}

TEST_F(VirtioBlkTest, ReadOnly) {
    bool level = false;
    Bus other_bus;
    VirtioBlk device(backend, "ro", true);
    EXPECT_TRUE(device.features() & 1 << 5);
    VirtQueue queue(16);
    queue.state = {.size = 16,
                   .enabled = true,
                   .descriptors = kDescriptors,
                   .driver_area = kAvailable,
                   .device_area = kUsed};
    request(1, 0, 512);  // the disk itself ignores it: not started
    ASSERT_TRUE(device.process(0, queue, 0, memory).value());
    EXPECT_EQ(status(), 1);
    EXPECT_FALSE(level);
}

TEST_F(VirtioBlkTest, IndirectDescriptors) {
    start(kVirtioVersion1 | kVirtioRingIndirect);
    request(1, 1, 512);
    std::memcpy(&ram[0x7000], &ram[kDescriptors], 48);
    descriptor(5, 0x7000, 48, 4);
    ram[kData] = std::byte{7};
    offer(5);
    EXPECT_EQ(used(), 2);
    EXPECT_EQ(backend.bytes[512], std::byte{7});
}

TEST_F(VirtioBlkTest, BrokenRingsNeedReset) {
    for (int i = 0; i < 5; i++) {
        start();
        available = 0;
        ASSERT_TRUE(memory.write(kAvailable + 2, std::uint16_t{0}));
        switch (i) {
            case 0:  // loop
                descriptor(0, kHeader, 16, 1, 0);
                offer(0);
                break;
            case 1:  // index
                offer(16);
                break;
            case 2:  // address
                descriptor(0, 0xffff'ffff'ffff'fff0, 0x100, 0);
                offer(0);
                break;
            case 3:  // no status
                descriptor(0, kHeader, 16, 0);
                offer(0);
                break;
            default:  // more than the queue holds
                available = 40;
                offer(0);
                break;
        }
        EXPECT_EQ(bus.read(kBar + 0x14, 1), 0x4fu) << i;
        EXPECT_FALSE(disk.pci().broken().empty());
    }
    start();
    EXPECT_EQ(bus.read(kBar + 0x14, 1), 0x0fu);
}

TEST_F(VirtioBlkTest, FeaturesOkOnlyForWhatIsOffered) {
    start(kVirtioVersion1 | 1ull << 40);
    EXPECT_EQ(bus.read(kBar + 0x14, 1) & 8, 0u);
    start(0);
    EXPECT_EQ(bus.read(kBar + 0x14, 1) & 8, 0u);
}

TEST_F(VirtioBlkTest, MsixDeliversAndHoldsWhileMasked) {
    unsigned msix = disk.pci().config_read(pci::kCapabilities, 1);
    while (disk.pci().config_read(msix, 1) != 0x11)
        msix = disk.pci().config_read(msix + 1, 1);
    bus.write(kBar + 0x4000, 8, 0xfee0'1000);
    bus.write(kBar + 0x4008, 4, 0x41);
    start();
    disk.pci().config_write(msix + 2, 2, 0x8000);
    request(0, 0, 512);
    EXPECT_TRUE(sent.empty());
    EXPECT_EQ(bus.read(kBar + 0x5000, 4), 1u);
    bus.write(kBar + 0x400c, 4, 0);
    EXPECT_EQ(sent, (std::vector<Msi>{{0xfee0'1000, 0x41}}));
    EXPECT_FALSE(intx);
    request(0, 0, 512);
    EXPECT_EQ(sent.size(), 2u);
}

TEST_F(VirtioBlkTest, MovesWithItsBarAndLeavesTheBus) {
    disk.pci().config_write(pci::kBar0, 4, 0xc000'0000);
    EXPECT_EQ(bus.read(0xc000'2000, 4), 64u);
    EXPECT_EQ(bus.read(kBar + 0x2000, 4), 0xffff'ffffu);
    disk.pci().config_write(pci::kCommand, 2, 0);
    EXPECT_EQ(bus.read(0xc000'2000, 4), 0xffff'ffffu);
}

TEST_F(VirtioBlkTest, ConfigurationWindow) {
    unsigned at = disk.pci().config_read(pci::kCapabilities, 1);
    while (disk.pci().config_read(at + 3, 1) != 5)
        at = disk.pci().config_read(at + 1, 1);
    disk.pci().config_write(at + 8, 4, 0x2000);
    disk.pci().config_write(at + 12, 4, 4);
    EXPECT_EQ(disk.pci().config_read(at + 16, 4), 64u);
}

TEST_F(VirtioBlkTest, RestoresAStartedDevice) {
    start();
    request(1, 0, 512);
    ASSERT_TRUE(intx);
    auto saved = disk.save();
    disk.pci().config_write(pci::kCommand, 2, 0);
    bool level = false;
    VirtioBlkBus other("00:02.0", backend, "data", false, wiring(level));
    std::vector records{device_record(other.id(), *saved)};
    snapshot::Claims claims(records);
    ASSERT_TRUE(other.restore(claims).has_value());
    EXPECT_TRUE(level);
    bus.read(kBar + 0x1000, 1);
    EXPECT_FALSE(level);
    request(0, 0, 512);
    EXPECT_EQ(used(), 2);
    EXPECT_TRUE(level);
}

TEST_F(VirtioBlkTest, RefusesAnotherDevicesState) {
    auto saved = disk.save();
    auto& message = static_cast<snapshot::v1::VirtioBlk&>(*saved);
    auto changed = [&](auto change) {
        snapshot::v1::VirtioBlk copy = message;
        change(copy);
        return restore_error(disk, copy);
    };
    EXPECT_EQ(changed([](auto& m) { m.set_serial("other"); }),
              "device virtio-blk 00:02.0: serial is not the disk's name");
    EXPECT_EQ(
        changed([](auto& m) { m.mutable_transport()->set_driver_features(1ull << 50); }),
        "device virtio-blk 00:02.0: the driver uses features that this device does not offer");
    EXPECT_EQ(changed([](auto& m) { m.mutable_transport()->clear_queues(); }),
              "device virtio-blk 00:02.0: 0 queues, this device has 1");
    EXPECT_EQ(changed([](auto& m) { m.mutable_transport()->mutable_queues(0)->set_size(3); }),
              "device virtio-blk 00:02.0: a queue's size is not possible");
    EXPECT_EQ(changed([](auto&) {}), "");
}

}  // namespace
}  // namespace skep::guestdev
