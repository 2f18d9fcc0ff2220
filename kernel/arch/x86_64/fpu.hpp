// x87, SSE and AVX state of programs (SDM vol. 1, chapter 13). The kernel itself uses none of it,
// so it changes hands only when threads do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace skep::kernel {

class Thread;

// An XSAVE area in standard form; its size is fpu_size().
struct FpuState;

void init_fpu_on_this_cpu();
std::size_t fpu_size();
std::uint64_t fpu_components();  // XCR0

FpuState* allocate_fpu();  // in the initial configuration, or null
void free_fpu(FpuState*);
void copy_fpu(FpuState& to, const FpuState& from);
void reset_fpu(FpuState&);
void save_fpu(FpuState&);
void restore_fpu(const FpuState&);
std::span<std::byte> fpu_bytes(FpuState&);
// Makes bytes that came from a program safe to restore: unknown components and reserved bits
// cleared.
void sanitize_fpu(FpuState&);

// The current thread's registers are saved and free for others' use (a guest's) for a scope.
class [[nodiscard]] FpuBorrowed {
  public:
    FpuBorrowed();
    ~FpuBorrowed();
    FpuBorrowed(const FpuBorrowed&) = delete;
    FpuBorrowed& operator=(const FpuBorrowed&) = delete;
};

}  // namespace skep::kernel
