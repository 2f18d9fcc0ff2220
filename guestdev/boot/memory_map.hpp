// Where things are in the guest's physical address space.
#pragma once

#include <cstdint>
#include <vector>

namespace skep::guestdev {

inline constexpr std::uint64_t kMiB = 1 << 20, kGiB = 1 << 30;

// RAM below 4 GiB ends here at the latest; then PCI memory, I/O APIC, local APIC.
inline constexpr std::uint64_t kLowRamLimit = 3 * kGiB;
inline constexpr std::uint64_t kHighRamBase = 4 * kGiB;
inline constexpr std::uint64_t kPciMemoryBase = kLowRamLimit, kPciMemoryEnd = 0xfec0'0000;

// In the first MiB.
inline constexpr std::uint64_t kGdtAddress = 0x1000, kZeroPageAddress = 0x2000,
                               kPageTablesAddress = 0x3000, kCommandLineAddress = 0x1'0000,
                               kCommandLineLimit = 0x1'0000;
inline constexpr std::uint64_t kEbdaAddress = 0x9'fc00, kAcpiAddress = 0xe'0000,
                               kAcpiLimit = 0x2'0000;

struct RamRange {
    std::uint64_t gpa, size;
};

// The RAM of a guest with `memory_bytes`, by address.
inline std::vector<RamRange> ram_ranges(std::uint64_t memory_bytes) {
    std::uint64_t low = memory_bytes < kLowRamLimit ? memory_bytes : kLowRamLimit;
    std::vector<RamRange> ranges = {{0, low}};
    if (memory_bytes > low)
        ranges.push_back({kHighRamBase, memory_bytes - low});
    return ranges;
}

}  // namespace skep::guestdev
