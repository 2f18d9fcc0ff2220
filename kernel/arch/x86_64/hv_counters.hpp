// What hv counts (abi::HostStats), for those who show it: sysctl hw.hv, /proc/hv.
#pragma once

#include <kernel/arch/x86_64/hypercall.hpp>
#include <kernel/base/errno.hpp>

#include <array>
#include <string_view>

namespace skep::kernel {

// NoEnt without hv.
Result<abi::HostStats> hv_counters();

struct HvCounter {
    std::string_view name;
    std::uint64_t abi::HostStats::*value;
};
inline constexpr std::array kHvCounters = {
    HvCounter{"pool_frames_total", &abi::HostStats::pool_frames_total},
    HvCounter{"pool_frames_free", &abi::HostStats::pool_frames_free},
    HvCounter{"root_exits", &abi::HostStats::root_exits},
    HvCounter{"root_violations", &abi::HostStats::root_violations},
    HvCounter{"hypercalls", &abi::HostStats::hypercalls},
    HvCounter{"hypercalls_refused", &abi::HostStats::hypercalls_refused},
    HvCounter{"guest_exits_handled", &abi::HostStats::guest_exits_handled},
    HvCounter{"vms", &abi::HostStats::vms},
    HvCounter{"vcpus", &abi::HostStats::vcpus},
};

// Of HostStats::guest_exits, by ExitReason; the others have no name.
inline constexpr std::array<std::string_view, 16> kHvExitNames = {
    "none",        "interrupted",  "io",        "mmio",     "hlt",         "interrupt_window",
    "shutdown",    "msr_read",     "msr_write", "apic_eoi", "timer_armed", "wake_vcpus",
    "page_absent", "entry_failed", "reset",     "pause",
};

}  // namespace skep::kernel
