// Memory that knows what it must hold.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace skep::guest {

// 64 chunks of 1 MiB, each with the checksum of what was last written to it.
class Ram {
  public:
    static constexpr size_t chunks = 64;
    static constexpr size_t chunk_words = (1u << 20) / sizeof(uint64_t);

    Ram();

    // Gives the chunk of this turn new contents.
    void rewrite(uint64_t turn);

    // The first chunk whose contents are not what was written, if any.
    std::optional<size_t> first_bad() const;

  private:
    void fill(size_t chunk, uint64_t seed);

    std::vector<uint64_t> words_;
    std::array<uint64_t, chunks> sums_{};
};

}  // namespace skep::guest
