// The I/O APIC's registers in memory at 0xfec00000.
#pragma once

#include <guestdev/core/bus.hpp>
#include <guestdev/core/device.hpp>
#include <guestdev/ioapic/ioapic.hpp>

namespace skep::guestdev {

class IoApicBus final : public BusHandler, public Device {
  public:
    static constexpr std::uint64_t kBase = 0xfec0'0000, kSize = 0x1000;

    explicit IoApicBus(MsiSink sink) : sink_(std::move(sink)) {}

    [[nodiscard]] bool attach(Bus& memory) { return memory.claim(kBase, kSize, *this); }

    void set_line(unsigned input, bool up) { ioapic_.set_line(input, up, sink_); }
    void end_of_interrupt(std::uint8_t vector) { ioapic_.end_of_interrupt(vector, sink_); }

    bool accepts(unsigned size) const override { return size == 4 || size == 1; }
    std::uint64_t read(std::uint64_t offset, unsigned size) override {
        // Registers are 32 bits on 16-byte boundaries; narrow reads give the register's bytes.
        std::uint32_t value = ioapic_.read(offset & ~std::uint64_t{3});
        return size == 4 ? value : value >> (offset & 3) * 8 & 0xff;
    }
    void write(std::uint64_t offset, unsigned size, std::uint64_t value) override {
        // IOREGSEL is used by its low byte only, so a byte write to it is meant; others are not.
        if (size == 4 || offset == 0)
            ioapic_.write(offset, static_cast<std::uint32_t>(value), sink_);
    }

    const DeviceId& id() const override { return id_; }
    std::unique_ptr<google::protobuf::Message> save() const override;
    Status restore(snapshot::Claims& claims) override;

  private:
    DeviceId id_{"ioapic", "ioapic0", 1};
    MsiSink sink_;
    IoApic ioapic_;
};

}  // namespace skep::guestdev
