// The board: buses, interrupt wires and every device of a guest.
//
// One lock, mutex(), covers all of it; each public function but the constructor wants it held. vCPU
// threads take it for an access, the main thread for timers and console.
#pragma once

#include <guestdev/acpi_pm/acpi_pm_bus.hpp>
#include <guestdev/core/bus.hpp>
#include <guestdev/core/device.hpp>
#include <guestdev/core/irq.hpp>
#include <guestdev/core/memory.hpp>
#include <guestdev/core/time.hpp>
#include <guestdev/i8254/i8254_bus.hpp>
#include <guestdev/i8259/i8259_bus.hpp>
#include <guestdev/ioapic/ioapic_bus.hpp>
#include <guestdev/mc146818/mc146818_bus.hpp>
#include <guestdev/pci/pci_host.hpp>
#include <guestdev/pvclock/pvclock_device.hpp>
#include <guestdev/uart16550/uart16550_bus.hpp>
#include <guestdev/virtio_blk/virtio_blk_bus.hpp>

#include <skep/vm/v1/spec.pb.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace skep::guestdev {

struct BoardWiring {
    const GuestMemory& memory;
    const TimeSource& time;
    MsiSink msi;
    std::function<void(bool)> extint;  // the 8259's INT wire to vCPU 0
    std::function<void(PowerRequest)> power;
    std::function<void()> console_output;  // a byte was added
};

class Board {
  public:
    // `disks`: the backend of each of spec.disks.
    Board(const vm::v1::MachineSpec& spec, std::vector<std::unique_ptr<BlockBackend>> disks,
          std::int64_t wall_clock_ns, std::uint64_t tsc_frequency, BoardWiring wiring);
    Board(const Board&) = delete;
    Board& operator=(const Board&) = delete;

    std::mutex& mutex() { return mutex_; }

    Bus& ports() { return ports_; }
    Bus& memory_bus() { return memory_bus_; }
    I8259Bus& pic() { return pic_; }
    IoApicBus& ioapic() { return ioapic_; }
    AcpiPmBus& pm() { return pm_; }
    Uart16550Bus& uart() { return uart_; }
    PvClock& pvclock() { return pvclock_.clock; }
    BlockBackend& disk(std::size_t index) { return *backends_[index]; }

    // All devices, in an order in which they may be restored: wires' ends before what drives them.
    std::vector<Device*> devices();
    // Restores every device. Interrupt messages are held back: the local APICs have theirs already.
    Status restore(snapshot::Claims& claims);

    void advance(GuestTime now);
    GuestTime next_event() const;
    // Whether an access to the port may move next_event().
    static bool is_timer_port(std::uint16_t port);

  private:
    static constexpr unsigned kFirstDiskSlot = 2;
    static constexpr std::uint16_t kCom1Port = 0x3f8;
    enum Irq : unsigned {
        kTimerIrq = 0,
        kCom1Irq = 4,
        kRtcIrq = 8,
        kPciIrqEven = 10,
        kPciIrqOdd = 11
    };

    void attach(bool claimed);

    std::mutex mutex_;
    bool restoring_ = false;
    Bus ports_, memory_bus_;
    BoardWiring wiring_;
    IrqInputs inputs_;
    I8259Bus pic_;
    IoApicBus ioapic_;
    I8254Bus pit_;
    Mc146818Bus rtc_;
    AcpiPmBus pm_;
    PciHost pci_host_;
    PciBridge pci_bridge_;
    Uart16550Bus uart_;
    PvClockDevice pvclock_;
    std::vector<std::unique_ptr<BlockBackend>> backends_;
    std::vector<std::unique_ptr<VirtioBlkBus>> disks_;
};

}  // namespace skep::guestdev
