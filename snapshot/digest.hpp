// The digest of a whole file: XXH3-128. docs/decisions/0006-snapshot-digest.md says why.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>

namespace skep::snapshot {

class Digest {
  public:
    using Value = std::array<std::byte, 16>;  // canonical: big endian

    Digest();
    Digest(Digest&&) noexcept;
    Digest& operator=(Digest&&) noexcept;
    ~Digest();

    void update(std::span<const std::byte> data);
    Value value() const;  // of everything so far

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace skep::snapshot
