// What lwIP asks of the kernel: time, memory, random numbers, checksums.

#include <kernel/base/log.hpp>
#include <kernel/dev/random.hpp>
#include <kernel/mm/heap.hpp>
#include <kernel/net/siphash.hpp>
#include <kernel/sched/clock.hpp>

#include <lwip/arch.h>
#include <lwip/ip_addr.h>
#include <lwip/sys.h>

#include <array>
#include <cstring>

namespace skep::kernel {

namespace {

const SipKey& secret() {
    static const SipKey kSecret = [] {
        SipKey key;
        fill_random(&key, sizeof key);
        return key;
    }();
    return kSecret;
}

std::array<std::uint64_t, 2> words_of(const ip_addr_t& address) {
    std::array<std::uint64_t, 2> words{};
    if (IP_IS_V6_VAL(address))
        std::memcpy(words.data(), ip_2_ip6(&address)->addr, sizeof words);
    else
        words[0] = ip_2_ip4(&address)->addr;
    return words;
}

}  // namespace

}  // namespace skep::kernel

using namespace skep::kernel;

extern "C" {

u32_t sys_now(void) {
    return static_cast<u32_t>(monotonic_now() / 1'000'000);
}

uint32_t skep_net_random(void) {
    uint32_t value;
    fill_random(&value, sizeof value);
    return value;
}

// RFC 6528: a clock of 4 microseconds plus a keyed hash of the connection.
unsigned int skep_net_initial_sequence(const void* local_ip, unsigned short local_port,
                                       const void* remote_ip, unsigned short remote_port) {
    const auto local = words_of(*static_cast<const ip_addr_t*>(local_ip));
    const auto remote = words_of(*static_cast<const ip_addr_t*>(remote_ip));
    const std::array<std::uint64_t, 5> words{local[0], local[1], remote[0], remote[1],
                                             std::uint64_t{local_port} << 16 | remote_port};
    return static_cast<unsigned int>(monotonic_now() / 4000 + siphash(secret(), words));
}

// The Internet checksum (RFC 1071), not complemented. A sum of 64-bit words with end-around carry
// is congruent to that of their 16-bit parts.
uint16_t skep_net_checksum(const void* data, int size) {
    auto bytes = static_cast<const unsigned char*>(data);
    std::uint64_t sum = 0;
    const auto add = [&sum](std::uint64_t word) {
        sum += word;
        sum += sum < word;
    };
    for (; size >= 8; size -= 8, bytes += 8) {
        std::uint64_t word;
        std::memcpy(&word, bytes, 8);
        add(word);
    }
    if (size > 0) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes, static_cast<std::size_t>(size));
        add(word);
    }
    sum = (sum & 0xffff'ffff) + (sum >> 32);
    sum = (sum & 0xffff'ffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<uint16_t>(sum);
}

void* skep_net_allocate(size_t size) {
    return kernel_allocate(size);
}

void* skep_net_allocate_zeroed(size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return nullptr;
    void* memory = skep_net_allocate(total);
    if (memory)
        std::memset(memory, 0, total);
    return memory;
}

void skep_net_free(void* memory) {
    kernel_free(memory);
}

// Of an interface's number in its name.
int skep_net_atoi(const char* text);
int skep_net_atoi(const char* text) {
    int value = 0;
    for (; *text >= '0' && *text <= '9' && value < 1000; ++text)
        value = value * 10 + (*text - '0');
    return value;
}

// An invariant of lwIP itself is broken, whatever came from outside: nothing can be trusted any
// more.
void skep_net_assertion_failed(const char* message, const char* file, int line) {
    panic("lwIP: {} ({}:{})", message, file, line);
}

}  // extern "C"
