// A PCI function: identity, memory windows, capabilities, interrupts. Found once at boot, never
// freed.
#pragma once

#include <kernel/base/errno.hpp>
#include <kernel/base/list.hpp>
#include <kernel/dev/interrupt.hpp>
#include <kernel/dev/pci/config.hpp>
#include <kernel/mm/physical.hpp>

#include <array>
#include <optional>

namespace skep::kernel::pci {

struct Bar {
    enum class Kind : std::uint8_t {
        None,
        Memory,
        Io
    } kind = Kind::None;
    std::uint64_t base = 0, size = 0;
};

class Device : public ListNode<> {
  public:
    explicit Device(Location location);

    Location location() const { return location_; }
    std::uint16_t vendor() const { return vendor_; }
    std::uint16_t device() const { return device_; }
    // Class, subclass, programming interface: 0xCCSSPP.
    std::uint32_t class_code() const { return class_code_; }
    std::uint8_t revision() const { return revision_; }
    std::uint8_t interrupt_line() const;

    // As the firmware assigned it. Index of the first of the two registers of a 64-bit window.
    Bar bar(unsigned index) const;
    // A part of a memory window, mapped uncached. Inval: no such memory.
    Result<volatile void*> map(unsigned bar, std::uint64_t offset, std::size_t size) const;

    // The first capability `id` after `previous` (0 = from the start); its offset.
    std::optional<std::uint8_t> capability(CapabilityId id, std::uint8_t previous = 0) const;

    void enable(std::uint16_t command_bits);  // Command, added to what is set

    // One interrupt for the whole function: MSI if it has it, else the line that the firmware
    // routed. The handler of a line is also called for its neighbours on the line.
    Result<> attach_interrupt(InterruptHandler handler, void* context);
    // Number of MSI-X vectors, 0 = none.
    std::uint32_t msix_vectors() const;
    // MSI-X vector `index`; the first call turns MSI-X on.
    Result<> attach_msix(std::uint32_t index, InterruptHandler handler, void* context);

  private:
    Result<> attach_single_msi(std::uint8_t capability, InterruptHandler handler, void* context);

    Location location_;
    std::uint16_t vendor_, device_;
    std::uint32_t class_code_;
    std::uint8_t revision_;
    volatile std::uint32_t* msix_table_ = nullptr;
};

}  // namespace skep::kernel::pci
