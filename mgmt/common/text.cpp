#include "mgmt/common/text.hpp"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <array>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace skep::mgmt {
namespace {

std::vector<std::uint8_t> random_bytes(unsigned count) {
    std::vector<std::uint8_t> bytes(count);
    if (RAND_bytes(bytes.data(), static_cast<int>(count)) != 1) {
        std::fputs("skep: the machine gives no random numbers\n", stderr);
        std::abort();
    }
    return bytes;
}

}  // namespace

std::string hex(std::span<const std::uint8_t> bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    text.reserve(bytes.size() * 2);
    for (auto byte : bytes) {
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return text;
}

std::string normalized_fingerprint(std::string_view text) {
    std::string out;
    unsigned digits = 0;
    for (char c : text) {
        if (c == ':' || std::isspace(static_cast<unsigned char>(c)))
            continue;
        if (digits != 0 && digits % 2 == 0)
            out += ':';
        out += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
        ++digits;
    }
    return out;
}

std::string fingerprint_text(std::span<const std::uint8_t> bytes) {
    return normalized_fingerprint(hex(bytes));
}

std::string sha256(std::string_view data) {
    std::string digest(SHA256_DIGEST_LENGTH, '\0');
    SHA256(reinterpret_cast<const unsigned char*>(data.data()), data.size(),
           reinterpret_cast<unsigned char*>(digest.data()));
    return digest;
}

std::string sha256_hex(std::string_view data) {
    auto digest = sha256(data);
    return hex({reinterpret_cast<const std::uint8_t*>(digest.data()), digest.size()});
}

std::string random_hex(unsigned bytes) {
    return hex(random_bytes(bytes));
}

std::string random_token() {
    // 32 characters, so that 5 bits pick one without bias: no 0/O, no 1/I.
    static constexpr std::string_view kAlphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    static_assert(kAlphabet.size() == 32);
    std::string token;
    unsigned count = 0;
    for (auto byte : random_bytes(20)) {
        if (count != 0 && count % 5 == 0)
            token += '-';
        token += kAlphabet[byte & 31];
        ++count;
    }
    return token;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace skep::mgmt
