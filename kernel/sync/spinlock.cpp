#include <kernel/sync/spinlock.hpp>

#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/arch/x86_64/percpu.hpp>
#include <kernel/base/log.hpp>

namespace skep::kernel {

bool SpinLock::lock() {
    const bool interrupts = save_interrupts();
    const std::uint32_t me = this_cpu().number + 1;
    if constexpr (kKernelChecks)
        this_cpu().held_spin_locks.check(name_);
    std::uint32_t expected = 0;
    while (!owner_.compare_exchange_weak(expected, me, std::memory_order_acquire)) {
        if (expected == me)
            panic("spin lock {} taken twice by one CPU", name_.view());
        while ((expected = owner_.load(std::memory_order_relaxed)) != 0)
            pause();
    }
    if constexpr (kKernelChecks)
        this_cpu().held_spin_locks.add(name_);
    return interrupts;
}

void SpinLock::unlock(bool interrupts_were_on) {
    if constexpr (kKernelChecks)
        this_cpu().held_spin_locks.remove(name_);
    owner_.store(0, std::memory_order_release);
    restore_interrupts(interrupts_were_on);
}

bool SpinLock::held() const {
    const InterruptsOff off;
    return owner_.load(std::memory_order_relaxed) == this_cpu().number + 1;
}

void check_no_spin_lock_held(std::string_view what) {
    const InterruptsOff off;
    if (const HeldSpinLocks& held = this_cpu().held_spin_locks; !held.empty())
        panic("{} with spin lock {} held", what, held.last().view());
}

}  // namespace skep::kernel
