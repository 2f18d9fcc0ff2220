// Small things done to text: hexadecimal, prefixes, random identifiers.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace skep::mgmt {

std::string hex(std::span<const std::uint8_t> bytes);               // "0a1b"
std::string fingerprint_text(std::span<const std::uint8_t> bytes);  // "0A:1B"
// A fingerprint as people paste it: either case, with or without colons and blanks -> "0A:1B".
std::string normalized_fingerprint(std::string_view text);

// SHA-256, 32 bytes.
std::string sha256(std::string_view data);
std::string sha256_hex(std::string_view data);

// Random bytes of the machine, as lower-case hex of 2 * bytes digits. Never fails: ends the program
// if the machine has no randomness to give.
std::string random_hex(unsigned bytes);
// 20 characters without look-alikes, in groups of five: 100 bits.
std::string random_token();

bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace skep::mgmt
