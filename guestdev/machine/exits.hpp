// Completes the exits of vCPUs.
#pragma once

#include <guestdev/core/error.hpp>
#include <guestdev/core/memory.hpp>
#include <guestdev/emulate/page_walk.hpp>
#include <guestdev/machine/board.hpp>
#include <guestdev/vmm/vmm.hpp>

#include <functional>
#include <string>

namespace skep::guestdev {

class ExitHandler {
  public:
    // `timers_moved` is called, with the board's lock, when the board's next event may be earlier.
    ExitHandler(Vmm& vmm, Board& board, const GuestMemory& memory, const TimeSource& time,
                std::function<void()> timers_moved)
        : vmm_(vmm),
          board_(board),
          memory_(memory),
          time_(time),
          timers_moved_(std::move(timers_moved)) {}

    // An error: the guest cannot go on, and why.
    std::expected<void, std::string> handle(unsigned vcpu, abi::VcpuPage& page);

  private:
    std::expected<void, std::string> handle_io(unsigned vcpu, abi::VcpuPage& page);
    std::expected<void, std::string> handle_msr(unsigned vcpu, abi::VcpuPage& page, bool write);
    std::expected<void, std::string> emulate(unsigned vcpu, abi::VcpuPage& page, bool mmio);
    std::expected<void, std::string> raise(unsigned vcpu, const GuestFault& fault);

    Vmm& vmm_;
    Board& board_;
    const GuestMemory& memory_;
    const TimeSource& time_;
    std::function<void()> timers_moved_;
};

}  // namespace skep::guestdev
