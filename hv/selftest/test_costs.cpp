// What the paths cost, in TSC ticks (in Bochs: instructions). Printed as `hv-bench: NAME VALUE`.
#include "hv/arch/instructions.hpp"
#include "hv/selftest/check.hpp"
#include "hv/selftest/guest_code.hpp"

namespace skep::hv::selftest {

using abi::ExitReason;
using abi::Field;
using abi::Hypercall;

namespace {
constexpr u64 kRounds = 1000;
}

TEST(cost_of_a_cpuid_exit) {
    Guest guest;
    guest.load(code::long_cpuid_loop);
    guest.start_long();
    CHECK_EQ(guest.set({{Field::Rbx, 0, kRounds}}), 0);
    CHECK_EQ(guest.run_timed(), ExitReason::Hlt);
    print("hv-bench: cpuid_exit {}", guest.result(0) / kRounds);
}

TEST(cost_of_an_exit_to_the_root_domain) {
    Guest guest;
    guest.load(code::long_out_loop);
    guest.start_long();
    // As kernels have it: all that there is.
    static abi::HostInfo info;
    CHECK_EQ(call(Hypercall::Info, address_of(&info)), 0);
    CHECK_EQ(guest.set({{Field::Xcr0, 0, info.xcr0_supported & 7}}), 0);
    CHECK_EQ(guest.run(), ExitReason::Io);
    abi::VcpuPage& page = guest.page();
    const u64 id = guest.id();
    const u64 start = read_tsc();
    for (u64 i = 0; i < kRounds; ++i) {
        page.rip += page.instruction_length;
        page.write_back = abi::kWriteBackRip;
        call(Hypercall::VcpuRun, id, 0);
    }
    print("hv-bench: exit_to_root {}", (read_tsc() - start) / kRounds);
    CHECK_EQ(page.reason, ExitReason::Io);
    const abi::HostStats stats = host_stats();
    print("hv-bench: pool_kib_used {}", (stats.pool_frames_total - stats.pool_frames_free) * 4);
}

}  // namespace skep::hv::selftest
