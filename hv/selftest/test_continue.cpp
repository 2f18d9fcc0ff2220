// A computation in every register that there is, moved from VM to VM while it runs, ends as if it
// had never moved.
#include "hv/selftest/check.hpp"
#include "hv/selftest/guest_code.hpp"
#include "hv/selftest/inside.hpp"
#include "hv/selftest/machine.hpp"
#include "hv/selftest/move.hpp"

#include <cstring>
#include <utility>

namespace skep::hv::selftest {

using abi::ExitReason;
using abi::Field;

namespace {

constexpr u64 kRounds = 60'000;
constexpr u64 kMoves = 25;

struct Sums {
    u64 general, avx[4], x87, mxcsr, fs, kernel_gs, star, dr0;
};

struct Job {
    u64 features;  // XCR0
    u64 rounds;
    Sums sums;
};

// Its results are in the guest's own RAM, which moves with it.
constexpr u64 kJob = 0x50000;

void compute(u64) {
    auto& job = *reinterpret_cast<volatile Job*>(kJob);
    const bool avx = (job.features & 4) != 0;
    write_cr4(read_cr4() | cr4::kFsgsbase);
    write_xcr0(job.features);
    // Round towards zero, in both units.
    const u32 mxcsr = 0x7f80;
    const u16 control = 0x0f7f;
    asm volatile("fninit; fldcw %1; ldmxcsr %0; fld1; fldpi" : : "m"(mxcsr), "m"(control));
    write_msr(msr::kKernelGsBase, 0x1234'5678);
    write_msr(msr::kFsBase, 1);
    write_msr(msr::kStar, 0x0023'0010'0000'0000);
    write_dr0(0x7000);
    asm volatile("pcmpeqd %%xmm1, %%xmm1; pxor %%xmm0, %%xmm0; pxor %%xmm15, %%xmm15" : :);
    if (avx)
        asm volatile("vxorps %%ymm0, %%ymm0, %%ymm0; vxorps %%ymm15, %%ymm15, %%ymm15" : :);
    u64 sum = 1;
    for (u64 i = 0; i < job.rounds; ++i) {
        sum = sum * 6364136223846793005 + i;
        if (avx)
            asm volatile(
                "vmovq %0, %%xmm2; vxorps %%ymm2, %%ymm0, %%ymm0; vxorps %%ymm0, %%ymm15, %%ymm15;"
                "vpermilpd $5, %%ymm0, %%ymm0; vperm2f128 $1, %%ymm0, %%ymm15, %%ymm15"
                :
                : "r"(sum));
        else
            asm volatile("movq %0, %%xmm2; paddq %%xmm2, %%xmm0; psubq %%xmm1, %%xmm15"
                         :
                         : "r"(sum));
        // ST(1) wanders with the rounding mode; the stack keeps its depth.
        asm volatile("fld %%st(0); fmul %%st(2), %%st; fsqrt; fstp %%st(2)" : :);
        asm volatile("rdfsbase %%rax; add $3, %%rax; wrfsbase %%rax" : : : "rax");
    }
    auto& sums = const_cast<Sums&>(reinterpret_cast<Job*>(kJob)->sums);
    sums.general = sum;
    if (avx)
        asm volatile("vxorps %%ymm15, %%ymm0, %%ymm0; vmovups %%ymm0, %0" : "=m"(sums.avx));
    else
        asm volatile("paddq %%xmm15, %%xmm0; movdqu %%xmm0, %0" : "=m"(sums.avx));
    asm volatile("fstp %%st(0); fstpl %0" : "=m"(sums.x87));
    asm volatile("stmxcsr %0" : "=m"(sums.mxcsr));
    sums.fs = read_msr(msr::kFsBase);
    sums.kernel_gs = read_msr(msr::kKernelGsBase);
    sums.star = read_msr(msr::kStar);
    sums.dr0 = read_dr0();
}

Sums& sums_of(const Guest& guest) {
    return reinterpret_cast<Job*>(guest.ram() + kJob)->sums;
}

void start(Guest& guest) {
    alignas(4096) static u8 frame[4096];
    CHECK_EQ(call(abi::Hypercall::Info, address_of(frame)), 0);
    guest.start_function(compute);
    auto& job = *reinterpret_cast<Job*>(guest.ram() + kJob);
    job.features = reinterpret_cast<const abi::HostInfo*>(frame)->xcr0_supported & 7;
    job.rounds = kRounds;
}

}  // namespace

TEST(computation_continues_elsewhere) {
    Sums expected;
    {
        Guest guest;
        start(guest);
        CHECK_EQ(guest.run_timed(), ExitReason::Hlt);
        expected = sums_of(guest);
    }
    CHECK_EQ(expected.fs, 1 + 3 * kRounds);
    Guest first(0), second(1);
    start(second);  // its image is mapped
    start(first);
    Guest *from = &first, *to = &second;
    u64 moves = 0;
    start_ticks(on_qemu() ? 200'000 : 20'000);
    for (;;) {
        const ExitReason reason = from->run();
        asm volatile("sti; nop; cli");
        if (reason != ExitReason::Interrupted) {
            CHECK_EQ(reason, ExitReason::Hlt);
            break;
        }
        if (moves == kMoves)
            continue;
        move(*from, *to);
        std::swap(from, to);
        ++moves;
    }
    stop_ticks();
    CHECK(moves > 0);
    CHECK_EQ(std::memcmp(&sums_of(*from), &expected, sizeof expected), 0);
    print("  {} moves", moves);
}

}  // namespace skep::hv::selftest
