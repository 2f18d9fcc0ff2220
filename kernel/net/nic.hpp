// What the network stack needs of an Ethernet interface. The stack serialises all calls (it holds
// its lock); the driver's interrupt handler only silences the device and calls Nic::wake().
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace skep::kernel {

using MacAddress = std::array<std::uint8_t, 6>;

inline constexpr std::size_t kMaxFrame = 1514;  // without the FCS

class FrameSink {
  public:
    virtual void on_frame(std::span<const std::byte> frame) = 0;  // copies what it keeps

  protected:
    ~FrameSink() = default;
};

class Nic {
  public:
    Nic() = default;
    Nic(const Nic&) = delete;
    Nic& operator=(const Nic&) = delete;

    virtual const char* name() const = 0;
    virtual MacAddress mac() const = 0;

    // Room for the next frame, at least kMaxFrame bytes; empty if the ring is full. submit() queues
    // its first `size` bytes; flush() tells the device of all that was queued.
    virtual std::span<std::byte> transmit_slot() = 0;
    virtual void submit(std::size_t size) = 0;
    virtual void flush() = 0;

    // Gives at most `budget` received frames to the sink. -> how many; fewer than `budget` means
    // that there are no more and that the device will interrupt for the next.
    virtual unsigned receive(FrameSink& sink, unsigned budget) = 0;

    static void wake();  // makes the stack's thread poll all interfaces; from interrupt handlers

  protected:
    ~Nic() = default;
};

// Gives an interface, which lives for ever, to the stack: it is brought up with DHCP and IPv6
// autoconfiguration; the first one is the default route. Called by drivers at boot.
void add_nic(Nic& nic);

}  // namespace skep::kernel
