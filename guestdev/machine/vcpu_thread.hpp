// One vCPU and the thread that lends it a CPU.
#pragma once

#include <guestdev/machine/board.hpp>
#include <guestdev/machine/exits.hpp>
#include <guestdev/vmm/vmm.hpp>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace skep::guestdev {

class VcpuThread {
  public:
    // `crashed` is called from the thread when the guest cannot go on; the vCPU is parked after it.
    VcpuThread(unsigned index, abi::VcpuPage& page, Vmm& vmm, Board& board, ExitHandler& exits,
               std::function<void(std::string)> crashed);
    ~VcpuThread();
    VcpuThread(const VcpuThread&) = delete;
    VcpuThread& operator=(const VcpuThread&) = delete;

    void resume();
    // Asks it to park, without waiting. From any thread.
    void request_park();
    void wait_parked();

    // The 8259's INT wire changed. With the board's lock.
    void set_extint(bool up);

    abi::VcpuPage& page() { return page_; }

  private:
    void main();
    void step();
    bool offer_extint();

    unsigned index_;
    abi::VcpuPage& page_;
    Vmm& vmm_;
    Board& board_;
    ExitHandler& exits_;
    std::function<void(std::string)> crashed_;

    std::atomic<bool> running_{false}, quit_{false}, extint_{false};
    std::mutex mutex_;
    std::condition_variable changed_;
    bool parked_ = true;  // under mutex_
    std::thread thread_;
};

}  // namespace skep::guestdev
