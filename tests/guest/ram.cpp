#include "tests/guest/ram.hpp"

#include <span>

#include "tests/guest/checksum.hpp"
#include "tests/guest/random.hpp"

namespace skep::guest {

Ram::Ram() : words_(chunks * chunk_words) {
    for (size_t chunk = 0; chunk < chunks; chunk++) {
        fill(chunk, chunk);
    }
}

void Ram::rewrite(uint64_t turn) {
    fill(turn % chunks, chunks + turn);
}

void Ram::fill(size_t chunk, uint64_t seed) {
    const auto words = std::span(words_).subspan(chunk * chunk_words, chunk_words);
    Random random(seed);
    for (uint64_t& word : words) {
        word = random.next();
    }
    sums_[chunk] = checksum(words);
}

std::optional<size_t> Ram::first_bad() const {
    for (size_t chunk = 0; chunk < chunks; chunk++) {
        if (checksum(std::span(words_).subspan(chunk * chunk_words, chunk_words)) != sums_[chunk]) {
            return chunk;
        }
    }
    return std::nullopt;
}

}  // namespace skep::guest
