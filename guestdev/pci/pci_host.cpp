#include <guestdev/pci/pci_host.hpp>

namespace skep::guestdev {
namespace {

constexpr std::uint32_t kEnable = 1u << 31;
constexpr std::uint32_t kAddressBits = 0x80ff'fffc;
constexpr unsigned kResetControlOffset = 1;  // port 0xcf9
constexpr unsigned kDataOffset = 4;          // port 0xcfc

constexpr PciIdentity kI440Fx = {.vendor = 0x8086,
                                 .device = 0x1237,
                                 .subsystem_vendor = 0,
                                 .subsystem = 0,
                                 .class_code = 0x060000,
                                 .revision = 2};

}  // namespace

bool PciHost::plug(unsigned slot, PciDevice& device) {
    if (slot >= kSlots || slots_[slot])
        return false;
    slots_[slot] = &device;
    return true;
}

PciDevice* PciHost::selected() const {
    unsigned bus = address_ >> 16 & 0xff, slot = address_ >> 11 & 31, function = address_ >> 8 & 7;
    if (!(address_ & kEnable) || bus != 0 || function != 0)
        return nullptr;
    return slots_[slot];
}

std::uint64_t PciHost::read(std::uint64_t offset, unsigned size) {
    if (offset == 0 && size == 4)
        return address_;
    if (offset == kResetControlOffset && size == 1)
        return reset_control_.read();
    PciDevice* device = selected();
    if (offset < kDataOffset || offset % size || !device)
        return all_ones(size);
    return device->config_read((address_ & 0xfc) + (offset & 3), size);
}

void PciHost::write(std::uint64_t offset, unsigned size, std::uint64_t value) {
    if (offset == 0 && size == 4) {
        address_ = static_cast<std::uint32_t>(value) & kAddressBits;
        return;
    }
    if (offset == kResetControlOffset && size == 1) {
        reset_control_.write(static_cast<std::uint8_t>(value));
        return;
    }
    PciDevice* device = selected();
    if (offset < kDataOffset || offset % size || !device)
        return;
    device->config_write((address_ & 0xfc) + (offset & 3), size, static_cast<std::uint32_t>(value));
}

PciBridge::PciBridge() : config_(kI440Fx) {}

}  // namespace skep::guestdev
