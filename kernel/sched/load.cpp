#include <kernel/sched/load.hpp>

#include <kernel/sched/clock.hpp>
#include <kernel/sched/scheduler.hpp>

#include <atomic>

namespace skep::kernel {

namespace {

std::array<std::atomic<std::uint32_t>, 3> averages{};

void sample(Timer& timer, void*) {
    const LoadAverages fresh = aged(load_averages(), runnable_threads());
    for (std::size_t i = 0; i < fresh.size(); i++)
        averages[i].store(fresh[i], std::memory_order_relaxed);
    timer.arm(next_period(timer.deadline(), kLoadPeriod));
}

Timer sampler{sample, nullptr};

}  // namespace

void start_load_sampling() {
    sampler.arm(monotonic_now() + kLoadPeriod);
}

LoadAverages load_averages() {
    LoadAverages load;
    for (std::size_t i = 0; i < load.size(); i++)
        load[i] = averages[i].load(std::memory_order_relaxed);
    return load;
}

// The queues go on meanwhile: as many as there were at about this time.
std::uint32_t runnable_threads() {
    std::uint32_t count = 0;
    for (std::uint32_t i = 0; i < cpu_count; i++) {
        const Cpu& cpu = *cpus[i];
        if (cpu.online.load(std::memory_order_acquire))
            count += cpu.run_queue->length() + (cpu.thread != cpu.idle ? 1 : 0);
    }
    return count;
}

}  // namespace skep::kernel
