#include <kernel/sync/spinlock.hpp>

#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/arch/x86_64/percpu.hpp>
#include <kernel/base/log.hpp>

namespace skep::kernel {

bool SpinLock::lock() {
    const bool interrupts = save_interrupts();
    const std::uint32_t me = this_cpu().number + 1;
    std::uint32_t expected = 0;
    while (!owner_.compare_exchange_weak(expected, me, std::memory_order_acquire)) {
        if (expected == me)
            panic("spin lock {} taken twice by one CPU", name_);
        while ((expected = owner_.load(std::memory_order_relaxed)) != 0)
            pause();
    }
    return interrupts;
}

void SpinLock::unlock(bool interrupts_were_on) {
    owner_.store(0, std::memory_order_release);
    restore_interrupts(interrupts_were_on);
}

bool SpinLock::held() const {
    const InterruptsOff off;
    return owner_.load(std::memory_order_relaxed) == this_cpu().number + 1;
}

}  // namespace skep::kernel
