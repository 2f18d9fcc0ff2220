// Completes a decoded instruction: reads and writes its operands, sets flags, moves RIP.
#pragma once

#include <guestdev/emulate/decoder.hpp>
#include <guestdev/emulate/page_walk.hpp>

#include <hv/abi/vcpu.hpp>

#include <cstdint>
#include <expected>

namespace skep::guestdev {

// Where operands live. Linear addresses are translated by the implementation.
class OperandAccess {
  public:
    virtual ~OperandAccess() = default;
    virtual std::expected<std::uint64_t, GuestFault> read(std::uint64_t linear, unsigned size) = 0;
    virtual std::expected<void, GuestFault> write(std::uint64_t linear, unsigned size,
                                                  std::uint64_t value) = 0;
    virtual std::uint64_t port_read(std::uint16_t port, unsigned size) = 0;
    virtual void port_write(std::uint16_t port, unsigned size, std::uint64_t value) = 0;
};

// Changes `page` (general, rip, rflags) and sets its write_back. After a fault, and after a part of
// a long repeated string instruction, RIP stays and the other registers are right for going on.
std::expected<void, GuestFault> execute(const Instruction& instruction, abi::VcpuPage& page,
                                        OperandAccess& access);

// The code size that CS and EFER give.
CodeSize code_size(const abi::VcpuPage& page);

// Linear address of an offset in a segment.
std::uint64_t linear_address(const abi::VcpuPage& page, std::uint8_t segment, std::uint64_t offset);

}  // namespace skep::guestdev
