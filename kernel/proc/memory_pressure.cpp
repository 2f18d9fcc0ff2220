#include <kernel/proc/memory_pressure.hpp>

#include <kernel/base/log.hpp>
#include <kernel/mm/physical.hpp>
#include <kernel/proc/signal.hpp>

namespace skep::kernel {

namespace {

constexpr Nanoseconds kWait = 10'000'000;
// How long a victim may take to die before the next one is chosen.
constexpr Nanoseconds kPatience = 1'000'000'000;

// Under process_lock.
ProcessId victim;
Nanoseconds chosen_at;

// What it would give back, roughly: its pages, and what the kernel may hold for each of its
// descriptors (a pipe's ring).
std::uint64_t size_of(Process& p) {
    constexpr std::uint64_t kPagesPerDescriptor = 16;
    if (p.state != ProcessState::Alive || !p.map)
        return 0;
    return p.map->resident_pages() +
           (p.descriptors ? p.descriptors->open_count() * kPagesPerDescriptor : 0);
}

}  // namespace

bool relieve_memory() {
    {
        const SpinGuard guard(process_lock);
        const Process* last = find_process(victim);
        const bool dying =
            last && last->state != ProcessState::Zombie && monotonic_now() - chosen_at < kPatience;
        if (!dying) {
            Process* largest = nullptr;
            std::uint64_t most = 0;
            for (Process& p : all_processes)
                if (const std::uint64_t size = size_of(p); &p != init_process && size > most) {
                    largest = &p;
                    most = size;
                }
            if (!largest)
                return false;
            victim = largest->id;
            chosen_at = monotonic_now();
            log("out of memory: {} (pid {}, {} MiB) is killed",
                static_cast<const char*>(largest->command), largest->id, most * kPageSize >> 20);
            send_signal(*largest, {.signal = Signal::Kill});
        }
    }
    if (!must_end(current_thread()))
        sleep_until(monotonic_now() + kWait);
    return true;
}

}  // namespace skep::kernel
