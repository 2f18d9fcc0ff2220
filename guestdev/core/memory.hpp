// The guest's RAM as skep-vmm sees it. Addresses come from the guest: nothing is believed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

namespace skep::guestdev {

class GuestMemory {
  public:
    struct Region {
        std::uint64_t gpa;
        std::span<std::byte> bytes;
    };

    void add(std::uint64_t gpa, std::span<std::byte> bytes) { regions_.push_back({gpa, bytes}); }
    std::span<const Region> regions() const { return regions_; }

    // The bytes at [gpa, gpa + size), if all of them are RAM of one region.
    std::optional<std::span<std::byte>> at(std::uint64_t gpa, std::uint64_t size) const {
        for (const Region& region : regions_) {
            if (gpa < region.gpa || gpa - region.gpa > region.bytes.size())
                continue;
            std::uint64_t offset = gpa - region.gpa;
            if (size <= region.bytes.size() - offset)
                return region.bytes.subspan(offset, size);
        }
        return std::nullopt;
    }

    template <typename T>
    std::optional<T> read(std::uint64_t gpa) const {
        auto bytes = at(gpa, sizeof(T));
        if (!bytes)
            return std::nullopt;
        T value;
        std::memcpy(&value, bytes->data(), sizeof(T));
        return value;
    }

    template <typename T>
    [[nodiscard]] bool write(std::uint64_t gpa, const T& value) const {
        auto bytes = at(gpa, sizeof(T));
        if (!bytes)
            return false;
        std::memcpy(bytes->data(), &value, sizeof(T));
        return true;
    }

  private:
    std::vector<Region> regions_;
};

}  // namespace skep::guestdev
