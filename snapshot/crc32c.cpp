#include <snapshot/crc32c.hpp>

#include <nmmintrin.h>

#include <array>
#include <cstring>

namespace skep::snapshot {
namespace {

constexpr std::uint32_t kReversedPolynomial = 0x82f6'3b78;

constexpr auto kTable = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
        std::uint32_t crc = byte;
        for (int bit = 0; bit < 8; ++bit)
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? kReversedPolynomial : 0);
        table[byte] = crc;
    }
    return table;
}();

__attribute__((target("sse4.2"))) std::uint32_t crc32c_sse42(std::span<const std::byte> data,
                                                             std::uint32_t before) {
    std::uint64_t crc = ~before;
    const std::byte* next = data.data();
    std::size_t left = data.size();
    for (; left >= sizeof(std::uint64_t); left -= sizeof(std::uint64_t)) {
        std::uint64_t word;
        std::memcpy(&word, next, sizeof(word));
        crc = _mm_crc32_u64(crc, word);
        next += sizeof(word);
    }
    auto low = static_cast<std::uint32_t>(crc);
    for (; left > 0; --left)
        low = _mm_crc32_u8(low, static_cast<std::uint8_t>(*next++));
    return ~low;
}

}  // namespace

std::uint32_t crc32c_portable(std::span<const std::byte> data, std::uint32_t before) {
    std::uint32_t crc = ~before;
    for (const std::byte byte : data)
        crc = (crc >> 8) ^ kTable[(crc ^ static_cast<std::uint32_t>(byte)) & 0xff];
    return ~crc;
}

std::uint32_t crc32c(std::span<const std::byte> data, std::uint32_t before) {
    static const bool have_sse42 = __builtin_cpu_supports("sse4.2");
    return have_sse42 ? crc32c_sse42(data, before) : crc32c_portable(data, before);
}

}  // namespace skep::snapshot
