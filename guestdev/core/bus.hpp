// The guest's I/O ports and its guest-physical addresses outside of RAM.
//
// Every access has an answer: what nobody claims reads as all ones and swallows writes, as an
// undriven bus does.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace skep::guestdev {

class BusHandler {
  public:
    virtual ~BusHandler() = default;
    // `offset` is relative to the claimed range; `size` 1, 2, 4 or 8 (8 on the memory bus only).
    // The access lies within the range.
    virtual std::uint64_t read(std::uint64_t offset, unsigned size) = 0;
    virtual void write(std::uint64_t offset, unsigned size, std::uint64_t value) = 0;
    // Widths it takes in one piece; others reach it byte by byte, lowest address first.
    virtual bool accepts(unsigned size) const { return size == 1; }
};

constexpr std::uint64_t all_ones(unsigned size) {
    return size >= 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (size * 8)) - 1;
}

class Bus {
  public:
    // False if the range is empty, wraps or overlaps another.
    [[nodiscard]] bool claim(std::uint64_t base, std::uint64_t size, BusHandler& handler);
    // Releases the range that starts at `base`.
    void release(std::uint64_t base);

    std::uint64_t read(std::uint64_t address, unsigned size);
    void write(std::uint64_t address, unsigned size, std::uint64_t value);

  private:
    struct Range {
        std::uint64_t base, size;
        BusHandler* handler;
    };
    const Range* find(std::uint64_t address) const;

    std::vector<Range> ranges_;  // by base
};

}  // namespace skep::guestdev
