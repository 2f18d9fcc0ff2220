#include "hv/selftest/cpus.hpp"

#include "hv/arch/instructions.hpp"
#include "hv/selftest/check.hpp"
#include "hv/selftest/hypercalls.hpp"

#include <atomic>

extern "C" const char start_cpu[];

namespace skep::hv::selftest {

namespace {

constexpr unsigned kMaxCpus = 8;
constexpr u64 kStack = 16384;

struct Worker {
    std::atomic<bool> online{false};
    std::atomic<void (*)(u64)> function{nullptr};
    u64 argument = 0;
};

alignas(4096) u8 stacks[kMaxCpus][kStack];
Worker workers[kMaxCpus];
unsigned cpus = 0;
std::atomic<unsigned> starting{0};

}  // namespace

extern "C" [[noreturn]] void selftest_cpu() {
    Worker& worker = workers[starting];
    worker.online = true;
    for (;;) {
        if (auto* function = worker.function.load()) {
            function(worker.argument);
            worker.function = nullptr;
        }
        pause();
    }
}

unsigned start_all_cpus() {
    if (cpus != 0)
        return cpus;
    alignas(4096) static u8 frame[4096];
    CHECK_EQ(call(abi::Hypercall::Info, address_of(frame)), 0);
    const auto& info = *reinterpret_cast<const abi::HostInfo*>(frame);
    cpus = info.cpu_count < kMaxCpus ? info.cpu_count : kMaxCpus;
    for (unsigned i = 1; i < cpus; ++i) {
        starting = i;
        CHECK_EQ(call(abi::Hypercall::CpuStart, info.apic_ids[i], address_of(start_cpu),
                      address_of(stacks[i] + kStack)),
                 0);
        while (!workers[i].online)
            pause();
        CHECK_EQ(call(abi::Hypercall::CpuStart, info.apic_ids[i], address_of(start_cpu), 0),
                 error(abi::Error::Exists));
    }
    return cpus;
}

void run_on(unsigned cpu, void (*function)(u64), u64 argument) {
    workers[cpu].argument = argument;
    workers[cpu].function = function;
}
bool done(unsigned cpu) {
    return workers[cpu].function == nullptr;
}
void wait_for(unsigned cpu) {
    while (!done(cpu))
        pause();
}

}  // namespace skep::hv::selftest
