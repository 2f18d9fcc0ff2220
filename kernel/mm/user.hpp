// Access to the memory of the current process: survives any pointer, ends in Fault.
#pragma once

#include <kernel/base/errno.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace skep::kernel {

using UserAddr = std::uint64_t;

Result<> copy_in(void* to, UserAddr from, std::size_t size);
Result<> copy_out(UserAddr to, const void* from, std::size_t size);
// NUL-terminated, at most `capacity` bytes with the NUL (NameTooLong). -> length without the NUL.
Result<std::size_t> copy_in_string(char* to, UserAddr from, std::size_t capacity);

Result<> clear_user(UserAddr to, std::size_t size);

// Atomic access to an aligned word (futexes). exchange: compare-and-swap; `expected` gets what was
// found.
Result<std::uint32_t> load_user32(UserAddr from);
Result<bool> exchange_user32(UserAddr at, std::uint32_t& expected, std::uint32_t desired);

template <typename T>
requires std::is_trivially_copyable_v<T> Result<T> copy_in(UserAddr from) {
    T value;
    SKEP_TRY(copy_in(&value, from, sizeof value));
    return value;
}
template <typename T>
requires std::is_trivially_copyable_v<T> Result<> copy_out(UserAddr to, const T& value) {
    return copy_out(to, &value, sizeof value);
}

struct IoSegment {
    UserAddr base;  // or a kernel address
    std::size_t size;
};

// The memory side of a read or write: a list of segments, in user space or in the kernel, consumed
// from the front.
class Uio {
  public:
    static Uio user(std::span<const IoSegment> segments) { return Uio(segments, true); }
    static Uio kernel(std::span<const IoSegment> segments) { return Uio(segments, false); }
    std::size_t remaining() const { return remaining_; }
    bool is_user() const { return user_; }
    // Move up to `size` bytes between the kernel buffer and the segments; consume them. A fault
    // part way is an error only if nothing was moved by this call. -> bytes moved.
    Result<std::size_t> put(const void* from, std::size_t size);  // to the segments (read)
    Result<std::size_t> take(void* to, std::size_t size);         // from the segments (write)

  private:
    Uio(std::span<const IoSegment> segments, bool user) : segments_(segments), user_(user) {
        for (const IoSegment& s : segments)
            remaining_ += s.size;
        consume(0);  // leading empty segments
    }
    void consume(std::size_t size);
    std::span<const IoSegment> segments_;
    std::size_t offset_ = 0;  // in the first segment
    std::size_t remaining_ = 0;
    bool user_;
};

}  // namespace skep::kernel
