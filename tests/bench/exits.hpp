// What a hypervisor charges for the two kinds of exit, measured the same way over each.
#pragma once

#include <cstdint>
#include <cstdio>
#include <span>

#include "tests/bench/exits_guest.h"
#include "tests/bench/ticks.hpp"

extern "C" const unsigned char bench_guest_start[], bench_guest_end[];

namespace skep::bench {

inline std::span<const unsigned char> guest_code() {
    return {bench_guest_start, bench_guest_end};
}

constexpr uint64_t guest_entry = 0x1000;

// Runs a guest until its next port write and returns the port, or -1 after another exit.
// Both programs have a struct with `int run_to_port()`.
template <typename Vm>
int measure(Vm& vm) {
    const uint64_t start = ticks();
    if (const int port = vm.run_to_port(); port != BENCH_PORT_CPUID_DONE) {
        std::fprintf(stderr, "exits: port %d came before the guest had done its CPUIDs\n", port);
        return 1;
    }
    const uint64_t cpuid_done = ticks();
    int writes = 0;
    int port;
    while ((port = vm.run_to_port()) == BENCH_PORT) {
        writes++;
    }
    const uint64_t done = ticks();
    if (port != BENCH_PORT_DONE || writes != BENCH_ROUNDS) {
        std::fprintf(stderr, "exits: port %d after %d writes\n", port, writes);
        return 1;
    }
    std::printf("cpuid_exit %llu\nport_write_to_process %llu\n",
                static_cast<unsigned long long>((cpuid_done - start) / BENCH_ROUNDS),
                static_cast<unsigned long long>((done - cpuid_done) / BENCH_ROUNDS));
    return 0;
}

}  // namespace skep::bench
