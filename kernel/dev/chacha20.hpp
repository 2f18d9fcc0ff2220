// The ChaCha20 block function, RFC 8439 section 2.3.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace skep::kernel {

using ChachaKey = std::array<std::uint32_t, 8>;
using ChachaBlock = std::array<std::uint32_t, 16>;

constexpr ChachaBlock chacha20_block(const ChachaKey& key, std::uint32_t counter,
                                     const std::array<std::uint32_t, 3>& nonce) {
    const ChachaBlock start{0x61707865, 0x3320646e, 0x79622d32, 0x6b206574,  // "expand 32-byte k"
                            key[0],     key[1],     key[2],     key[3],     key[4],   key[5],
                            key[6],     key[7],     counter,    nonce[0],   nonce[1], nonce[2]};
    ChachaBlock x = start;
    auto quarter = [&x](unsigned a, unsigned b, unsigned c, unsigned d) {
        x[a] += x[b], x[d] = std::rotl(x[d] ^ x[a], 16);
        x[c] += x[d], x[b] = std::rotl(x[b] ^ x[c], 12);
        x[a] += x[b], x[d] = std::rotl(x[d] ^ x[a], 8);
        x[c] += x[d], x[b] = std::rotl(x[b] ^ x[c], 7);
    };
    for (int round = 0; round < 10; round++) {
        quarter(0, 4, 8, 12), quarter(1, 5, 9, 13), quarter(2, 6, 10, 14), quarter(3, 7, 11, 15);
        quarter(0, 5, 10, 15), quarter(1, 6, 11, 12), quarter(2, 7, 8, 13), quarter(3, 4, 9, 14);
    }
    for (unsigned i = 0; i < 16; i++)
        x[i] += start[i];
    return x;
}

}  // namespace skep::kernel
