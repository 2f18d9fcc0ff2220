// Operands of an instruction that is completed here: RAM, memory-mapped devices, ports.
#pragma once

#include <guestdev/core/bus.hpp>
#include <guestdev/core/memory.hpp>
#include <guestdev/emulate/executor.hpp>
#include <guestdev/emulate/page_walk.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace skep::guestdev {

// The caller holds the board's lock.
class GuestAccess final : public OperandAccess {
  public:
    GuestAccess(const abi::VcpuPage& page, const GuestMemory& memory, Bus& memory_bus, Bus& ports)
        : paging_(PagingState::of(page)), memory_(memory), memory_bus_(memory_bus), ports_(ports) {}

    // The instruction has one memory operand, and it is at this guest-physical address: the CPU
    // translated it already.
    void assume_translated(std::uint64_t gpa) { translated_ = gpa; }

    std::expected<std::uint64_t, GuestFault> read(std::uint64_t linear, unsigned size) override;
    std::expected<void, GuestFault> write(std::uint64_t linear, unsigned size,
                                          std::uint64_t value) override;
    std::uint64_t port_read(std::uint16_t port, unsigned size) override {
        return ports_.read(port, size);
    }
    void port_write(std::uint16_t port, unsigned size, std::uint64_t value) override {
        ports_.write(port, size, value);
    }

    // The code at `linear`, as far as it is mapped; at most 15 bytes.
    std::vector<std::uint8_t> fetch(std::uint64_t linear);

  private:
    std::expected<std::uint64_t, GuestFault> translate(std::uint64_t linear, unsigned size,
                                                       WalkAccess access);
    std::uint64_t physical_read(std::uint64_t gpa, unsigned size);
    void physical_write(std::uint64_t gpa, unsigned size, std::uint64_t value);

    PagingState paging_;
    const GuestMemory& memory_;
    Bus& memory_bus_;
    Bus& ports_;
    std::optional<std::uint64_t> translated_;
};

}  // namespace skep::guestdev
