#include <kernel/dev/virtio/net.hpp>

#include <kernel/base/log.hpp>
#include <kernel/dev/virtio/queue.hpp>
#include <kernel/dev/virtio/transport.hpp>
#include <kernel/net/nic.hpp>

#include <cstring>
#include <new>

namespace skep::kernel::virtio {

namespace {

constexpr std::uint16_t kVendor = 0x1af4;
constexpr std::uint16_t kTransitionalNet = 0x1000;
constexpr std::uint16_t kModernNet = 0x1041;

constexpr std::uint64_t kFeatureMac = 1ull << 5;  // VIRTIO_NET_F_MAC

constexpr std::uint16_t kReceiveQueue = 0;
constexpr std::uint16_t kTransmitQueue = 1;
constexpr std::uint16_t kReceiveVector = 0;

// virtio_net_hdr (5.1.6), all zero without offloads; with VERSION_1 it has num_buffers.
constexpr std::size_t kHeaderSize = 12;
constexpr std::size_t kBufferSize = 2048;
constexpr unsigned kBuffersOrder = 7;
static_assert(kBufferSize * VirtQueue::kMaxSize == kPageSize << kBuffersOrder);

class NetDevice final : public Nic {
  public:
    explicit NetDevice(pci::Device& device) : transport_(device) {}

    Result<> initialize() {
        SKEP_TRY(transport_.initialize(kFeatureMac, 0));
        if (transport_.config_size() < mac_.size())
            return fail(Errno::NxIo);
        for (std::size_t i = 0; i < mac_.size(); ++i)
            mac_[i] = transport_.config8(i);
        SKEP_TRY(transport_.attach_interrupt(kReceiveVector, on_interrupt, this));
        SKEP_TRY(transport_.set_up_queue(kReceiveQueue, receive_, kReceiveVector));
        SKEP_TRY(transport_.set_up_queue(kTransmitQueue, transmit_, kNoVector));
        receive_memory_ = SKEP_TRY(allocate_frames(kBuffersOrder));
        transmit_memory_ = SKEP_TRY(allocate_frames(kBuffersOrder));
        std::memset(direct_map(transmit_memory_), 0, kPageSize << kBuffersOrder);
        for (std::uint16_t i = 0; i < receive_.size(); ++i) {
            receive_.set_buffer(i, receive_memory_ + i * kBufferSize, kBufferSize,
                                VirtQueue::Direction::FromDevice);
            receive_.publish(i);
        }
        free_ = transmit_.size();
        for (std::uint16_t i = 0; i < free_; ++i)
            free_slots_[i] = i;
        transmit_.disable_interrupts();
        transport_.start();
        receive_.notify();
        return {};
    }

    void give_up() { transport_.give_up(); }
    const char* name() const override { return "virtio-net"; }
    MacAddress mac() const override { return mac_; }

    std::span<std::byte> transmit_slot() override {
        if (free_ == 0)
            reclaim();
        if (free_ == 0)
            return {};
        return {buffer(transmit_memory_, free_slots_[free_ - 1]) + kHeaderSize,
                kBufferSize - kHeaderSize};
    }

    void submit(std::size_t size) override {
        const std::uint16_t slot = free_slots_[--free_];
        transmit_.set_buffer(slot, transmit_memory_ + slot * kBufferSize,
                             static_cast<std::uint32_t>(kHeaderSize + size),
                             VirtQueue::Direction::ToDevice);
        transmit_.publish(slot);
    }

    void flush() override { transmit_.notify(); }

    unsigned receive(FrameSink& sink, unsigned budget) override {
        unsigned count = 0;
        do {
            while (count < budget) {
                const auto used = receive_.take_used();
                if (!used)
                    break;
                ++count;
                if (used->length > kHeaderSize && used->length <= kBufferSize)
                    sink.on_frame({buffer(receive_memory_, used->id) + kHeaderSize,
                                   used->length - kHeaderSize});
                receive_.publish(used->id);
            }
            receive_.notify();
        } while (count < budget && receive_.enable_interrupts());
        return count;
    }

  private:
    static void on_interrupt(void* context) {
        auto& self = *static_cast<NetDevice*>(context);
        if (self.transport_.uses_line() && !self.transport_.take_line_interrupt())
            return;
        self.receive_.disable_interrupts();
        wake();
    }

    static std::byte* buffer(PhysAddr memory, std::uint16_t index) {
        return static_cast<std::byte*>(direct_map(memory)) + index * kBufferSize;
    }

    void reclaim() {
        while (const auto used = transmit_.take_used()) {
            if (free_ < transmit_.size())
                free_slots_[free_++] = used->id;
        }
    }

    Transport transport_;
    VirtQueue receive_, transmit_;
    PhysAddr receive_memory_, transmit_memory_;
    std::array<std::uint16_t, VirtQueue::kMaxSize> free_slots_{};
    std::uint16_t free_ = 0;
    MacAddress mac_{};
};

bool matches(const pci::Device& device) {
    return device.vendor() == kVendor &&
           (device.device() == kTransitionalNet || device.device() == kModernNet);
}

Result<> attach(pci::Device& device) {
    auto* net = new (std::nothrow) NetDevice(device);
    if (!net)
        return fail(Errno::NoMem);
    const Result<> started = net->initialize();
    if (!started) {
        net->give_up();
        return started;  // the interrupt may be attached: the object stays
    }
    add_nic(*net);
    return {};
}

}  // namespace

constinit const pci::Driver kNetDriver{"virtio-net", matches, attach};

}  // namespace skep::kernel::virtio
