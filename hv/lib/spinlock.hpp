// A spin lock whose holding is a value. hv runs with interrupts off, so nothing preempts a holder.
//
// Lock order, outermost first: VM table, one VM, its tables, frame pool, log. No two VMs at a time.
#pragma once

#include <atomic>

namespace skep::hv {

class Spinlock {
  public:
    class [[nodiscard]] Guard {
      public:
        explicit Guard(Spinlock& lock) : lock_(lock) { lock_.acquire(); }
        ~Guard() { lock_.release(); }
        Guard(const Guard&) = delete;
        Guard& operator=(const Guard&) = delete;

      private:
        Spinlock& lock_;
    };

    Guard lock() { return Guard(*this); }

  private:
    void acquire() {
        while (held_.exchange(true, std::memory_order_acquire)) {
            while (held_.load(std::memory_order_relaxed))
                __builtin_ia32_pause();
        }
    }
    void release() { held_.store(false, std::memory_order_release); }

    std::atomic<bool> held_{false};
};

}  // namespace skep::hv
