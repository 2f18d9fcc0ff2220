#include <snapshot/digest.hpp>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <bit>

namespace skep::snapshot {

struct Digest::State {
    XXH3_state_t xxh3;
};

Digest::Digest() : state_(std::make_unique<State>()) {
    XXH3_128bits_reset(&state_->xxh3);
}
Digest::Digest(Digest&&) noexcept = default;
Digest& Digest::operator=(Digest&&) noexcept = default;
Digest::~Digest() = default;

void Digest::update(std::span<const std::byte> data) {
    XXH3_128bits_update(&state_->xxh3, data.data(), data.size());
}

Digest::Value Digest::value() const {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(&state_->xxh3));
    return std::bit_cast<Value>(canonical);
}

}  // namespace skep::snapshot
