#include <kernel/dev/random.hpp>

#include <kernel/dev/chacha20.hpp>
#include <kernel/sync/spinlock.hpp>

#include <algorithm>
#include <cstring>

namespace skep::kernel {

namespace {

SpinLock lock{"random"};
ChachaKey key;
bool seeded = false;

std::uint64_t time_stamp() {
    return __builtin_ia32_rdtsc();
}

bool cpu_has_rdrand() {
    std::uint32_t a = 1, b, c = 0, d;
    asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return c >> 30 & 1;  // SDM volume 2A, CPUID: leaf 1, ECX bit 30
}

bool rdrand(std::uint64_t& value) {
    for (int attempt = 0; attempt < 10; attempt++) {  // SDM volume 1, 7.3.17.1: ten attempts
        bool good;
        asm volatile("rdrand %0" : "=r"(value), "=@ccc"(good));
        if (good)
            return true;
    }
    return false;
}

void mix(std::uint64_t value) {
    key[0] ^= static_cast<std::uint32_t>(value);
    key[1] ^= static_cast<std::uint32_t>(value >> 32);
    const ChachaBlock block = chacha20_block(key, 0, {});
    std::copy_n(block.begin(), key.size(), key.begin());
}

void seed() {
    const bool hardware = cpu_has_rdrand();
    for (int i = 0; i < 64; i++) {
        std::uint64_t value = 0;
        if (hardware)
            (void)rdrand(value);
        mix(value ^ time_stamp());
    }
    seeded = true;
}

}  // namespace

void add_entropy(const void* from, std::size_t size) {
    SpinGuard guard(lock);
    const auto* bytes = static_cast<const std::byte*>(from);
    while (size) {
        std::uint64_t value = 0;
        const std::size_t part = std::min(size, sizeof value);
        std::memcpy(&value, bytes, part);
        mix(value ^ time_stamp());
        bytes += part;
        size -= part;
    }
}

void fill_random(void* to, std::size_t size) {
    ChachaKey own;  // for this request: the lock is held for two blocks only
    {
        SpinGuard guard(lock);
        if (!seeded)
            seed();
        key[7] ^= static_cast<std::uint32_t>(time_stamp());
        const ChachaBlock block = chacha20_block(key, 0, {});
        std::copy_n(block.begin(), key.size(), key.begin());
        std::copy_n(block.begin() + key.size(), own.size(), own.begin());
    }
    auto* bytes = static_cast<std::byte*>(to);
    for (std::uint32_t counter = 0; size; counter++) {
        const ChachaBlock block = chacha20_block(own, counter, {});
        const std::size_t part = std::min(size, sizeof block);
        std::memcpy(bytes, block.data(), part);
        bytes += part;
        size -= part;
    }
}

}  // namespace skep::kernel
