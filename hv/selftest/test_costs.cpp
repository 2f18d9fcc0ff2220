// What the paths cost, in TSC ticks (in Bochs: instructions). Printed as `hv-bench: NAME VALUE`.
#include "hv/arch/instructions.hpp"
#include "hv/selftest/check.hpp"
#include "hv/selftest/guest_code.hpp"

namespace skep::hv::selftest {

using abi::ExitReason;
using abi::Field;

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
    CHECK_EQ(guest.run(), ExitReason::Io);
    const u64 start = read_tsc();
    for (u64 i = 0; i < kRounds; ++i) {
        guest.page().rip += guest.page().instruction_length;
        guest.page().write_back = abi::kWriteBackRip;
        guest.run();
    }
    print("hv-bench: root_round_trip {}", (read_tsc() - start) / kRounds);
    const abi::HostStats stats = host_stats();
    print("hv-bench: pool_kib_used {}", (stats.pool_frames_total - stats.pool_frames_free) * 4);
}

}  // namespace skep::hv::selftest
