// Random numbers: ChaCha20 (RFC 8439) with a key that is replaced after every use ("fast key
// erasure"), seeded from RDRAND where the CPU has it and from time-stamp jitter, and stirred by
// add_entropy().
#pragma once

#include <cstddef>
#include <cstdint>

namespace skep::kernel {

void fill_random(void* to, std::size_t size);
void add_entropy(const void* from, std::size_t size);  // any context

}  // namespace skep::kernel
