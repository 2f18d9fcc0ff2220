// Interrupt wires: from a device's output to the interrupt controllers.
#pragma once

#include <array>
#include <cstdint>
#include <functional>

namespace skep::guestdev {

// A message-signalled interrupt (SDM vol. 3, 11.11).
struct Msi {
    std::uint64_t address;
    std::uint32_t data;
    bool operator==(const Msi&) const = default;
};

using MsiSink = std::function<void(const Msi&)>;

// One end of a wire. A wire with several ends (shared PCI interrupts) is up while one of them is.
class IrqLine {
  public:
    using Change = std::function<void(bool up)>;

    IrqLine() = default;
    // `change` is called with each change of this end.
    explicit IrqLine(Change change) : change_(std::move(change)) {}

    void set(bool up) {
        if (up == up_)
            return;
        up_ = up;
        if (change_)
            change_(up);
    }
    bool up() const { return up_; }
    // A rising edge, whatever the level was.
    void pulse() {
        set(false);
        set(true);
    }

  private:
    Change change_;
    bool up_ = false;
};

// The board's interrupt inputs 0..23 (ACPI's global system interrupts). Where they lead is the
// board's matter: inputs 0..15 to the 8259 pair too.
class IrqInputs {
  public:
    static constexpr unsigned kCount = 24;
    using Change = std::function<void(unsigned input, bool up)>;

    explicit IrqInputs(Change change) : change_(std::move(change)) {}
    IrqInputs(const IrqInputs&) = delete;
    IrqInputs& operator=(const IrqInputs&) = delete;

    IrqLine line(unsigned input) {
        return IrqLine([this, input](bool up) {
            unsigned before = ends_up_[input];
            ends_up_[input] += up ? 1u : ~0u;
            if ((before == 0) != (ends_up_[input] == 0))
                change_(input, up);
        });
    }
    bool up(unsigned input) const { return ends_up_[input] != 0; }

  private:
    Change change_;
    std::array<unsigned, kCount> ends_up_{};
};

}  // namespace skep::guestdev
