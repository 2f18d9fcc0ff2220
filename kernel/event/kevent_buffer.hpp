// Room for the events of one call: on its stack if they are few.
#pragma once

#include <kernel/base/vector.hpp>
#include <kernel/event/kevent.hpp>

#include <algorithm>
#include <span>

namespace skep::kernel {

class KeventBuffer {
  public:
    static constexpr std::size_t kMost = 64;  // of one call

    KeventBuffer() {}
    ~KeventBuffer() {}
    KeventBuffer(const KeventBuffer&) = delete;
    KeventBuffer& operator=(const KeventBuffer&) = delete;
    // For at most `wanted`; what is there is not initialized. NoMem.
    Result<std::span<Kevent>> take(std::size_t wanted) {
        if (wanted <= kFew)
            return std::span(few_, wanted);
        SKEP_TRY(many_.resize(std::min(wanted, kMost)));
        return many_.span();
    }

  private:
    static constexpr std::size_t kFew = 8;
    union {
        Kevent few_[kFew];
    };
    Vector<Kevent> many_;
};

}  // namespace skep::kernel
