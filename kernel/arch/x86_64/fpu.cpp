#include <kernel/arch/x86_64/fpu.hpp>

#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/mm/heap.hpp>
#include <kernel/sched/thread_impl.hpp>

#include <bit>
#include <cstring>

namespace skep::kernel {

struct FpuState {
    std::byte bytes[512 + 64];  // legacy region and XSAVE header; the extended region follows
};

namespace {

// XCR0 bits: x87, SSE, AVX, and the three of AVX-512.
constexpr std::uint64_t kWanted = 0b1110'0111;
constexpr std::size_t kControlWord = 0, kMxcsr = 24, kHeader = 512, kHeaderEnd = 576;
constexpr std::uint16_t kInitialControlWord = 0x37f;
constexpr std::uint32_t kInitialMxcsr = 0x1f80, kMxcsrMask = 0xffff;

bool has_xsave;
std::uint64_t components = 3;
std::size_t area_size = 512;

}  // namespace

void init_fpu_on_this_cpu() {
    constexpr std::uint32_t kXsave = 1 << 26;
    has_xsave = cpuid(1).ecx & kXsave;
    write_cr4(read_cr4() | kCr4OsFxsr | kCr4OsXmmExcpt | (has_xsave ? kCr4OsXsave : 0));
    asm volatile("fninit");
    if (!has_xsave)
        return;
    const CpuidResult r = cpuid(0xd);
    components = (static_cast<std::uint64_t>(r.edx) << 32 | r.eax) & kWanted;
    asm volatile("xsetbv"
                 :
                 : "a"(static_cast<std::uint32_t>(components)),
                   "d"(static_cast<std::uint32_t>(components >> 32)), "c"(0));
    area_size = cpuid(0xd).ebx;  // for what XCR0 enables now
}

std::size_t fpu_size() {
    return area_size;
}
std::uint64_t fpu_components() {
    return components;
}

FpuState* allocate_fpu() {
    auto* state = static_cast<FpuState*>(kernel_allocate(std::bit_ceil(area_size)));
    if (state)
        reset_fpu(*state);
    return state;
}
void free_fpu(FpuState* state) {
    kernel_free(state);
}
void copy_fpu(FpuState& to, const FpuState& from) {
    std::memcpy(to.bytes, from.bytes, area_size);
}
std::span<std::byte> fpu_bytes(FpuState& state) {
    return {state.bytes, area_size};
}

void reset_fpu(FpuState& state) {
    std::memset(state.bytes, 0, area_size);
    std::memcpy(state.bytes + kControlWord, &kInitialControlWord, sizeof kInitialControlWord);
    std::memcpy(state.bytes + kMxcsr, &kInitialMxcsr, sizeof kInitialMxcsr);
    if (has_xsave)
        std::memcpy(state.bytes + kHeader, &components, sizeof components);
}

void save_fpu(FpuState& state) {
    if (has_xsave)
        asm volatile("xsave64 %0" : "=m"(state) : "a"(~0u), "d"(~0u) : "memory");
    else
        asm volatile("fxsave64 %0" : "=m"(state) : : "memory");
}
void restore_fpu(const FpuState& state) {
    if (has_xsave)
        asm volatile("xrstor64 %0" : : "m"(state), "a"(~0u), "d"(~0u) : "memory");
    else
        asm volatile("fxrstor64 %0" : : "m"(state) : "memory");
}

void sanitize_fpu(FpuState& state) {
    std::uint32_t mxcsr;
    std::memcpy(&mxcsr, state.bytes + kMxcsr, sizeof mxcsr);
    mxcsr &= kMxcsrMask;
    std::memcpy(state.bytes + kMxcsr, &mxcsr, sizeof mxcsr);
    if (!has_xsave)
        return;
    std::uint64_t present;
    std::memcpy(&present, state.bytes + kHeader, sizeof present);
    present &= components;
    std::memset(state.bytes + kHeader, 0, kHeaderEnd - kHeader);  // XCOMP_BV 0: standard form
    std::memcpy(state.bytes + kHeader, &present, sizeof present);
}

FpuBorrowed::FpuBorrowed() {
    const InterruptsOff off;
    Thread& me = current_thread();
    if (me.fpu)
        save_fpu(*me.fpu);
    me.fpu_live = false;
}
FpuBorrowed::~FpuBorrowed() {
    const InterruptsOff off;
    Thread& me = current_thread();
    if (me.fpu)
        restore_fpu(*me.fpu);
    me.fpu_live = true;
}

}  // namespace skep::kernel
