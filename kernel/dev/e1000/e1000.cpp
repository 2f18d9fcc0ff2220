#include <kernel/dev/e1000/e1000.hpp>

#include <kernel/dev/e1000/registers.hpp>
#include <kernel/net/nic.hpp>

#include <atomic>
#include <cstring>
#include <new>

namespace skep::kernel::e1000 {

namespace {

constexpr std::uint16_t kVendorIntel = 0x8086;
// 82540EM (Bochs and QEMU), 82543GC, 82544GC, 82545EM, 82546EB copper.
constexpr std::uint16_t kDeviceIds[] = {0x100e, 0x1004, 0x100c, 0x100f, 0x1010};

// With 256 descriptors of 16 bytes a ring is one frame.
constexpr std::uint32_t kRingSize = 256;
constexpr std::size_t kBufferSize = 2048;
constexpr unsigned kBuffersOrder = 7;
static_assert(kRingSize * sizeof(ReceiveDescriptor) == kPageSize);
static_assert(kRingSize * kBufferSize == kPageSize << kBuffersOrder);
constexpr std::uint32_t next(std::uint32_t index) {
    return (index + 1) % kRingSize;
}

constexpr unsigned kResetPolls = 1'000'000;
constexpr unsigned kEepromPolls = 100'000;

class Controller final : public Nic {
  public:
    Result<> initialize(pci::Device& device) {
        device.enable(pci::kCommandMemory | pci::kCommandBusMaster);
        registers_ =
            static_cast<volatile std::uint8_t*>(SKEP_TRY(device.map(0, 0, kRegisterSpace)));
        SKEP_TRY(reset());
        SKEP_TRY(read_mac());
        SKEP_TRY(set_up_receive());
        SKEP_TRY(set_up_transmit());
        SKEP_TRY(device.attach_interrupt(on_interrupt, this));
        write(Register::Ims, kReceiveCauses);
        return {};
    }

    const char* name() const override { return "e1000"; }
    MacAddress mac() const override { return mac_; }

    std::span<std::byte> transmit_slot() override {
        // One descriptor stays free: head = tail means an empty ring (3.4).
        if (next(transmit_tail_) == transmit_clean_)
            reclaim();
        if (next(transmit_tail_) == transmit_clean_)
            return {};
        return {buffer(transmit_memory_, transmit_tail_), kBufferSize};
    }

    void submit(std::size_t size) override {
        TransmitDescriptor& descriptor = transmit_ring_[transmit_tail_];
        descriptor.length = static_cast<std::uint16_t>(size);
        descriptor.command = kTransmitEndOfPacket | kTransmitInsertFcs | kTransmitReportStatus;
        descriptor.status = 0;
        transmit_tail_ = next(transmit_tail_);
        unflushed_ = true;
    }

    void flush() override {
        if (!unflushed_)
            return;
        unflushed_ = false;
        std::atomic_thread_fence(std::memory_order_release);
        write(Register::Tdt, transmit_tail_);
    }

    unsigned receive(FrameSink& sink, unsigned budget) override {
        unsigned count = 0;
        std::uint32_t last = kRingSize;
        for (; count < budget; ++count) {
            ReceiveDescriptor& descriptor = receive_ring_[receive_next_];
            if (!(descriptor.status & kReceiveDone))
                break;
            std::atomic_thread_fence(std::memory_order_acquire);
            // A frame longer than one buffer cannot come: long packets are not enabled.
            if ((descriptor.status & kReceiveEndOfPacket) &&
                !(descriptor.errors & kReceiveFrameErrors) && descriptor.length <= kBufferSize)
                sink.on_frame({buffer(receive_memory_, receive_next_), descriptor.length});
            descriptor.status = 0;
            last = receive_next_;
            receive_next_ = next(receive_next_);
        }
        if (last != kRingSize) {
            std::atomic_thread_fence(std::memory_order_release);
            write(Register::Rdt, last);
        }
        // Causes that came meanwhile are still in ICR and interrupt now.
        if (count < budget)
            write(Register::Ims, kReceiveCauses);
        return count;
    }

  private:
    static void on_interrupt(void* context) {
        auto& self = *static_cast<Controller*>(context);
        if (self.read(Register::Icr) == 0)  // reading acknowledges; not ours if nothing is there
            return;
        self.write(Register::Imc, ~0u);
        wake();
    }

    std::uint32_t read(Register reg) const {
        return *reinterpret_cast<volatile std::uint32_t*>(registers_ +
                                                          static_cast<std::uint32_t>(reg));
    }
    void write(Register reg, std::uint32_t value, std::uint32_t index = 0) {
        *reinterpret_cast<volatile std::uint32_t*>(registers_ + static_cast<std::uint32_t>(reg) +
                                                   index * 4) = value;
    }

    static std::byte* buffer(PhysAddr memory, std::uint32_t index) {
        return static_cast<std::byte*>(direct_map(memory)) + index * kBufferSize;
    }

    Result<> reset() {
        write(Register::Imc, ~0u);
        write(Register::Ctrl, read(Register::Ctrl) | kCtrlReset);
        for (unsigned i = 0; read(Register::Ctrl) & kCtrlReset; ++i) {
            if (i == kResetPolls)
                return fail(Errno::TimedOut);
        }
        write(Register::Imc, ~0u);
        read(Register::Icr);
        write(Register::Ctrl, read(Register::Ctrl) | kCtrlSetLinkUp);
        return {};
    }

    // From receive address 0, which the controller loads from its EEPROM at reset; where it does
    // not, from the EEPROM's first three words (5.6).
    Result<> read_mac() {
        const std::uint32_t high = read(Register::Rah0);
        std::uint32_t words[3] = {read(Register::Ral0) & 0xffff, read(Register::Ral0) >> 16,
                                  high & 0xffff};
        if (!(high & kRahValid)) {
            for (std::uint32_t i = 0; i < 3; ++i) {
                write(Register::Eerd, kEerdStart | i << kEerdAddressShift);
                unsigned polls = 0;
                while (!(read(Register::Eerd) & kEerdDone)) {
                    if (++polls == kEepromPolls)
                        return fail(Errno::TimedOut);
                }
                words[i] = read(Register::Eerd) >> kEerdDataShift;
            }
        }
        for (std::size_t i = 0; i < mac_.size(); ++i)
            mac_[i] = static_cast<std::uint8_t>(words[i / 2] >> i % 2 * 8);
        write(Register::Ral0, words[0] | words[1] << 16);
        write(Register::Rah0, words[2] | kRahValid);
        return {};
    }

    Result<> set_up_receive() {
        for (std::uint32_t i = 0; i < kMulticastRegisters; ++i)
            write(Register::Mta, 0, i);
        const PhysAddr ring = SKEP_TRY(allocate_frames(0));
        receive_memory_ = SKEP_TRY(allocate_frames(kBuffersOrder));
        receive_ring_ = static_cast<ReceiveDescriptor*>(direct_map(ring));
        std::memset(direct_map(ring), 0, kPageSize);
        for (std::uint32_t i = 0; i < kRingSize; ++i)
            receive_ring_[i].address = receive_memory_.value + i * kBufferSize;
        write(Register::Rdbal, static_cast<std::uint32_t>(ring.value));
        write(Register::Rdbah, static_cast<std::uint32_t>(ring.value >> 32));
        write(Register::Rdlen, kPageSize);
        write(Register::Rdh, 0);
        write(Register::Rdt, kRingSize - 1);
        // IPv6 needs its multicast groups; the few others on the wire are the stack's to drop.
        write(Register::Rctl, kRctlEnable | kRctlMulticastAll | kRctlBroadcast | kRctlStripCrc);
        return {};
    }

    Result<> set_up_transmit() {
        const PhysAddr ring = SKEP_TRY(allocate_frames(0));
        transmit_memory_ = SKEP_TRY(allocate_frames(kBuffersOrder));
        transmit_ring_ = static_cast<TransmitDescriptor*>(direct_map(ring));
        std::memset(direct_map(ring), 0, kPageSize);
        for (std::uint32_t i = 0; i < kRingSize; ++i)
            transmit_ring_[i].address = transmit_memory_.value + i * kBufferSize;
        write(Register::Tdbal, static_cast<std::uint32_t>(ring.value));
        write(Register::Tdbah, static_cast<std::uint32_t>(ring.value >> 32));
        write(Register::Tdlen, kPageSize);
        write(Register::Tdh, 0);
        write(Register::Tdt, 0);
        write(Register::Tipg, kTipgCopper);
        write(Register::Tctl, kTctlEnable | kTctlPadShort | kTctlCollisions);
        return {};
    }

    void reclaim() {
        while (transmit_clean_ != transmit_tail_ &&
               (transmit_ring_[transmit_clean_].status & kTransmitDone))
            transmit_clean_ = next(transmit_clean_);
    }

    volatile std::uint8_t* registers_ = nullptr;
    ReceiveDescriptor* receive_ring_ = nullptr;
    TransmitDescriptor* transmit_ring_ = nullptr;
    PhysAddr receive_memory_, transmit_memory_;
    std::uint32_t receive_next_ = 0;
    std::uint32_t transmit_tail_ = 0;   // the next descriptor to fill
    std::uint32_t transmit_clean_ = 0;  // the oldest that the controller may still own
    bool unflushed_ = false;
    MacAddress mac_{};
};

bool matches(const pci::Device& device) {
    if (device.vendor() != kVendorIntel)
        return false;
    for (const std::uint16_t id : kDeviceIds) {
        if (device.device() == id)
            return true;
    }
    return false;
}

Result<> attach(pci::Device& device) {
    auto* controller = new (std::nothrow) Controller;
    if (!controller)
        return fail(Errno::NoMem);
    SKEP_TRY(controller->initialize(device));
    add_nic(*controller);
    return {};
}

}  // namespace

constinit const pci::Driver kDriver{"e1000", matches, attach};

}  // namespace skep::kernel::e1000
