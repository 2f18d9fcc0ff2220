#include <guestdev/machine/board.hpp>

#include <guestdev/boot/memory_map.hpp>

#include <algorithm>
#include <stdexcept>

namespace skep::guestdev {
namespace {

// The local APICs' own frames lie between; BARs come after them.
constexpr std::uint32_t kFirstBar = 0xfe00'0000;

std::string slot_name(unsigned slot) {
    char text[16];
    std::snprintf(text, sizeof text, "00:%02x.0", slot);
    return text;
}

}  // namespace

Board::Board(const vm::v1::MachineSpec& spec, std::vector<std::unique_ptr<BlockBackend>> disks,
             std::int64_t wall_clock_ns, std::uint64_t tsc_frequency, BoardWiring wiring)
    : wiring_(std::move(wiring)),
      inputs_([this](unsigned input, bool up) {
          if (input < 16)
              pic_.set_line(input, up);
          // ISA interrupt 0 is wired to input 2 (MADT says so).
          ioapic_.set_line(input == kTimerIrq ? 2 : input, up);
      }),
      pic_(IrqLine([this](bool up) { wiring_.extint(up); })),
      ioapic_([this](const Msi& msi) {
          if (!restoring_)
              wiring_.msi(msi);
      }),
      pit_(wiring_.time, inputs_.line(kTimerIrq)),
      rtc_(wiring_.time, inputs_.line(kRtcIrq), wall_clock_ns),
      pm_(wiring_.time, inputs_.line(AcpiPmBus::kSciInput),
          [this](PowerRequest request) { wiring_.power(request); }),
      pci_host_({[this] { return pm_.read_reset_control(); },
                 [this](std::uint8_t value) { pm_.write_reset_control(value); }}),
      uart_("com1", inputs_.line(kCom1Irq), [this] { wiring_.console_output(); }),
      pvclock_(spec.vcpus(), wall_clock_ns, tsc_frequency),
      backends_(std::move(disks)) {
    attach(pic_.attach(ports_));
    attach(pit_.attach(ports_));
    attach(rtc_.attach(ports_));
    attach(pm_.attach(ports_));
    attach(pci_host_.attach(ports_));
    attach(ports_.claim(kCom1Port, Uart16550::kRegisters, uart_));
    attach(ioapic_.attach(memory_bus_));
    attach(pci_host_.plug(0, pci_bridge_));
    for (int i = 0; i < spec.disks_size(); i++) {
        unsigned slot = kFirstDiskSlot + static_cast<unsigned>(i);
        unsigned irq = slot & 1 ? kPciIrqOdd : kPciIrqEven;  // as _PRT says
        disks_.push_back(std::make_unique<VirtioBlkBus>(
            slot_name(slot), *backends_.at(static_cast<std::size_t>(i)), spec.disks(i).name(),
            spec.disks(i).read_only(),
            VirtioPciWiring{
                .memory_bus = memory_bus_,
                .memory = wiring_.memory,
                .msi =
                    [this](const Msi& msi) {
                        if (!restoring_)
                            wiring_.msi(msi);
                    },
                .intx = inputs_.line(irq),
                .interrupt_line = static_cast<std::uint8_t>(irq),
                .bar_address = kFirstBar + slot * VirtioPci::kBarSize,
            }));
        attach(pci_host_.plug(slot, disks_.back()->pci()));
    }
}

// The board is laid out by us: two devices in one place are our mistake.
void Board::attach(bool claimed) {
    if (!claimed)
        throw std::logic_error("the board has two devices in one place");
}

std::vector<Device*> Board::devices() {
    std::vector<Device*> all = {&pic_,      &ioapic_,     &pit_,  &rtc_,    &pm_,
                                &pci_host_, &pci_bridge_, &uart_, &pvclock_};
    for (auto& disk : disks_)
        all.push_back(disk.get());
    return all;
}

Status Board::restore(snapshot::Claims& claims) {
    restoring_ = true;
    Status status;
    for (Device* device : devices()) {
        status = device->restore(claims);
        if (!status)
            break;
    }
    restoring_ = false;
    return status;
}

void Board::advance(GuestTime now) {
    for (Timed* timed :
         {static_cast<Timed*>(&pit_), static_cast<Timed*>(&rtc_), static_cast<Timed*>(&pm_)}) {
        if (timed->next_event() <= now)
            timed->advance(now);
    }
}

GuestTime Board::next_event() const {
    return std::min({pit_.next_event(), rtc_.next_event(), pm_.next_event()});
}

bool Board::is_timer_port(std::uint16_t port) {
    return (port >= I8254Bus::kPort && port < I8254Bus::kPort + 4) ||
           port == Mc146818Bus::kPort + 1 ||
           (port >= AcpiPmBus::kPort && port < AcpiPmBus::kPort + AcpiPm::kTimerBlock);
}

}  // namespace skep::guestdev
