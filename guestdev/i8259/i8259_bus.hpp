// The 8259A pair at ports 0x20, 0xa0 and their trigger registers at 0x4d0.
#pragma once

#include <guestdev/core/bus.hpp>
#include <guestdev/core/device.hpp>
#include <guestdev/core/irq.hpp>
#include <guestdev/i8259/i8259.hpp>

namespace skep::guestdev {

class I8259Bus final : public Device {
  public:
    static constexpr std::uint16_t kMasterPort = 0x20, kSlavePort = 0xa0, kElcrPort = 0x4d0;

    // `output` is the INT wire to the boot CPU.
    explicit I8259Bus(IrqLine output) : output_(std::move(output)) {}
    I8259Bus(const I8259Bus&) = delete;
    I8259Bus& operator=(const I8259Bus&) = delete;

    [[nodiscard]] bool attach(Bus& ports) {
        return ports.claim(kMasterPort, 2, master_) && ports.claim(kSlavePort, 2, slave_) &&
               ports.claim(kElcrPort, 2, elcr_);
    }

    void set_line(unsigned irq, bool up) {
        pic_.set_line(irq, up);
        update();
    }
    bool output() const { return pic_.output(); }
    std::uint8_t acknowledge() {
        std::uint8_t vector = pic_.acknowledge();
        update();
        return vector;
    }

    const DeviceId& id() const override { return id_; }
    std::unique_ptr<google::protobuf::Message> save() const override;
    Status restore(snapshot::Claims& claims) override;

  private:
    class ChipPorts final : public BusHandler {
      public:
        ChipPorts(I8259Bus& owner, bool slave) : owner_(owner), slave_(slave) {}
        std::uint64_t read(std::uint64_t offset, unsigned) override {
            std::uint8_t value = owner_.pic_.read(slave_, offset == 1);
            owner_.update();
            return value;
        }
        void write(std::uint64_t offset, unsigned, std::uint64_t value) override {
            owner_.pic_.write(slave_, offset == 1, static_cast<std::uint8_t>(value));
            owner_.update();
        }

      private:
        I8259Bus& owner_;
        bool slave_;
    };
    class ElcrPorts final : public BusHandler {
      public:
        explicit ElcrPorts(I8259Bus& owner) : owner_(owner) {}
        std::uint64_t read(std::uint64_t offset, unsigned) override {
            return owner_.pic_.read_elcr(offset == 1);
        }
        void write(std::uint64_t offset, unsigned, std::uint64_t value) override {
            owner_.pic_.write_elcr(offset == 1, static_cast<std::uint8_t>(value));
            owner_.update();
        }

      private:
        I8259Bus& owner_;
    };

    void update() { output_.set(pic_.output()); }

    DeviceId id_{"i8259", "pic", 1};
    IrqLine output_;
    I8259 pic_;
    ChipPorts master_{*this, false}, slave_{*this, true};
    ElcrPorts elcr_{*this};
};

}  // namespace skep::guestdev
