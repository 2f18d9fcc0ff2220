// A vCPU: the loop that lends it the calling thread's CPU, and how other threads wake and kick it.
#pragma once

#include <kernel/dev/vmm/hv_call.hpp>
#include <kernel/sched/clock.hpp>

#include <hv/abi/vcpu.hpp>

#include <atomic>

namespace skep::kernel::vmm {

class Vm;

class Vcpu {
  public:
    Vcpu(Vm& vm, unsigned index, abi::VcpuPage& page) : vm_(vm), index_(index), page_(page) {}
    Vcpu(const Vcpu&) = delete;
    Vcpu& operator=(const Vcpu&) = delete;

    // Runs until an exit for the owner. Intr: a signal or kick(). Busy: it runs on another thread.
    // NoEnt: the guest is being destroyed.
    Result<> run();
    // Makes the current run(), or if there is none the next one, end with Intr.
    void kick();
    // hv has something new for it: a sleep ends, a run looks again.
    void wake();

    // Whoever reads or changes its state holds it: Busy while it runs.
    class [[nodiscard]] Hold {
      public:
        explicit Hold(Vcpu& vcpu) : vcpu_(vcpu), held_(vcpu.running_.try_lock()) {}
        ~Hold() {
            if (held_)
                vcpu_.running_.unlock();
        }
        Hold(const Hold&) = delete;
        Hold& operator=(const Hold&) = delete;
        explicit operator bool() const { return held_; }

      private:
        Vcpu& vcpu_;
        bool held_;
    };

  private:
    static constexpr std::uint32_t kNowhere = ~0u;

    Result<> enter();
    Result<> sleep();
    Nanoseconds deadline() const;  // of the guest's APIC timer
    static void on_deadline(Timer&, void* self);

    Vm& vm_;
    unsigned index_;
    abi::VcpuPage& page_;  // written by hv and by the process at any time: each field is read once
    Mutex running_{"vcpu"};

    SpinLock lock_{"vcpu wake"};
    // Protected by lock_.
    std::uint32_t cpu_ = kNowhere;  // where it is in the guest
    bool woken_ = false;            // since it was last entered
    WaitQueue sleeper_;

    std::atomic<bool> kicked_{false};

    // Of the thread that runs it.
    std::uint64_t timer_deadline_ = abi::kNoDeadline;  // host TSC
    Timer timer_{on_deadline, this};
    std::uint64_t armed_deadline_ = abi::kNoDeadline;
    bool reschedule_ = false;  // another thread is due on this CPU
};

}  // namespace skep::kernel::vmm
