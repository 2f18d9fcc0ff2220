// CRC32C (Castagnoli, RFC 3720 appendix B.4): what each record is checked with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace skep::snapshot {

// Continues from the result of the bytes before; 0 to start.
std::uint32_t crc32c(std::span<const std::byte> data, std::uint32_t before = 0);

// Without CRC32 instructions; for tests and processors that lack SSE4.2.
std::uint32_t crc32c_portable(std::span<const std::byte> data, std::uint32_t before = 0);

}  // namespace skep::snapshot
