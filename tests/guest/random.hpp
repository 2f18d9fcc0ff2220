// Pseudo-random words, reproducible from a seed.
#pragma once

#include <cstdint>

namespace skep::guest {

// xorshift64* (Vigna 2016). The state is never 0.
class Random {
  public:
    explicit Random(uint64_t seed) : state_((seed + 1) * 0x9e3779b97f4a7c15u | 1) {}

    uint64_t next() {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return state_ * 0x2545f4914f6cdd1du;
    }

  private:
    uint64_t state_;
};

}  // namespace skep::guest
