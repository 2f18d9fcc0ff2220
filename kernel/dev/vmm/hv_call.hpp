// hv's answers in the kernel's terms.
#pragma once

#include <kernel/arch/x86_64/hypercall.hpp>
#include <kernel/base/errno.hpp>
#include <kernel/mm/physical.hpp>

#include <cstddef>

namespace skep::kernel::vmm {

Errno to_errno(abi::Error);

// Lets hv have 2 MiB more for its tables. False: there are none, or hv takes no more.
bool give_hv_memory();
// So much that `bytes` of guest memory can be told apart by pages of 4 KiB, as far as there is.
void give_hv_memory_for(std::uint64_t bytes);
// What hv no longer uses of it; when a guest has gone.
void take_back_hv_memory();

// hv gets more memory where that is what it lacks.
template <typename... A>
Result<std::uint64_t> hv_call(abi::Hypercall call, A... arguments) {
    for (;;) {
        const std::int64_t result = hypercall(call, static_cast<std::uint64_t>(arguments)...);
        if (result >= 0)
            return static_cast<std::uint64_t>(result);
        const auto error = static_cast<abi::Error>(-result);
        if (error != abi::Error::NoMemory || !give_hv_memory())
            return fail(to_errno(error));
    }
}

// A frame to pass a buffer in, for a scope; cleared, since what is not filled may reach a program.
class HvBuffer {
  public:
    static Result<HvBuffer> create();
    ~HvBuffer();
    HvBuffer(HvBuffer&& other) noexcept : frame_(other.frame_) { other.frame_ = {}; }
    HvBuffer(const HvBuffer&) = delete;
    HvBuffer& operator=(const HvBuffer&) = delete;
    std::uint64_t address() const { return frame_.value; }
    template <typename T = std::byte>
    T* data() const {
        return static_cast<T*>(direct_map(frame_));
    }

  private:
    explicit HvBuffer(PhysAddr frame) : frame_(frame) {}
    PhysAddr frame_;
};

}  // namespace skep::kernel::vmm
