// SipHash-2-4 (Aumasson and Bernstein, 2012) of 64-bit words: keyed, for what a peer must not
// guess.
#pragma once

#include <bit>
#include <cstdint>
#include <span>

namespace skep::kernel {

struct SipKey {
    std::uint64_t k0, k1;
};

constexpr std::uint64_t siphash(SipKey key, std::span<const std::uint64_t> words) {
    std::uint64_t v0 = key.k0 ^ 0x736f6d6570736575, v1 = key.k1 ^ 0x646f72616e646f6d;
    std::uint64_t v2 = key.k0 ^ 0x6c7967656e657261, v3 = key.k1 ^ 0x7465646279746573;
    const auto rounds = [&](int count) {
        for (; count > 0; --count) {
            v0 += v1;
            v2 += v3;
            v1 = std::rotl(v1, 13) ^ v0;
            v3 = std::rotl(v3, 16) ^ v2;
            v0 = std::rotl(v0, 32);
            v2 += v1;
            v0 += v3;
            v1 = std::rotl(v1, 17) ^ v2;
            v3 = std::rotl(v3, 21) ^ v0;
            v2 = std::rotl(v2, 32);
        }
    };
    for (const std::uint64_t word : words) {
        v3 ^= word;
        rounds(2);
        v0 ^= word;
    }
    const std::uint64_t last = static_cast<std::uint64_t>(words.size() * 8) << 56;
    v3 ^= last;
    rounds(2);
    v0 ^= last;
    v2 ^= 0xff;
    rounds(4);
    return v0 ^ v1 ^ v2 ^ v3;
}

}  // namespace skep::kernel
