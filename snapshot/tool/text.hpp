// Figures for people.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace skep::snapshot::tool {

std::string size_text(std::uint64_t bytes);             // "12.3 MiB"
std::string time_text(std::int64_t unix_ns);            // "2024-05-01 12:00:00 UTC"
std::string hex_text(std::span<const std::byte> data);  // "0a1b"

// "16.3:1", or "-" where nothing is stored.
std::string ratio_text(std::uint64_t content, std::uint64_t stored);

}  // namespace skep::snapshot::tool
