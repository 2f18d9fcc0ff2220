// Which locks a thread (sleep locks) or a CPU (spin locks) holds, so that test builds see every
// acquisition against the order, also where nothing happens to wait.
#pragma once

#include <kernel/base/checks.hpp>
#include <kernel/base/log.hpp>
#include <kernel/sync/lock_order.hpp>

#include <array>

namespace skep::kernel {

template <const auto& kOrder>
class HeldLocks {
  public:
    using Name = LockName<kOrder>;

    // Before the lock is waited for.
    void check(Name wanted) const {
        for (std::size_t i = 0; i < count_; i++) {
            const std::uint8_t held = places_[i];
            if (held > wanted.place() || (held == wanted.place() && !wanted.kind().several))
                panic("lock order: {} is taken under {}", wanted.view(), Name::at(held).view());
        }
    }
    void add(Name taken) {
        if (count_ == places_.size())
            panic("{} locks are held, the last one {}", count_, taken.view());
        places_[count_++] = taken.place();
    }
    void remove(Name given) {
        for (std::size_t i = count_; i-- > 0;)
            if (places_[i] == given.place()) {
                places_[i] = places_[--count_];
                return;
            }
        panic("lock {} is given up by who does not hold it", given.view());
    }
    bool empty() const { return count_ == 0; }
    Name last() const { return Name::at(places_[count_ - 1]); }

  private:
    std::array<std::uint8_t, 15> places_;
    std::uint8_t count_ = 0;
};
using HeldSleepLocks = HeldLocks<kSleepLocks>;
using HeldSpinLocks = HeldLocks<kSpinLocks>;

}  // namespace skep::kernel
