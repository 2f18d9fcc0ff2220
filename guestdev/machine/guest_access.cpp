#include <guestdev/machine/guest_access.hpp>

#include <guestdev/core/error.hpp>

#include <cstring>

namespace skep::guestdev {
namespace {

constexpr std::uint64_t kPageOffset = 0xfff;
constexpr unsigned kInstructionMax = 15;

bool within_page(std::uint64_t address, unsigned size) {
    return (address & kPageOffset) + size <= kPageOffset + 1;
}

}  // namespace

std::expected<std::uint64_t, GuestFault> GuestAccess::translate(std::uint64_t linear, unsigned size,
                                                                WalkAccess access) {
    bool known = translated_ && within_page(linear, size) &&
                 (*translated_ & kPageOffset) == (linear & kPageOffset);
    if (known)
        return *translated_;
    return walk(paging_, memory_, linear, access);
}

std::uint64_t GuestAccess::physical_read(std::uint64_t gpa, unsigned size) {
    if (auto bytes = memory_.at(gpa, size)) {
        std::uint64_t value = 0;
        std::memcpy(&value, bytes->data(), size);
        return value;
    }
    return memory_bus_.read(gpa, size);
}

void GuestAccess::physical_write(std::uint64_t gpa, unsigned size, std::uint64_t value) {
    if (auto bytes = memory_.at(gpa, size))
        std::memcpy(bytes->data(), &value, size);
    else
        memory_bus_.write(gpa, size, value);
}

std::expected<std::uint64_t, GuestFault> GuestAccess::read(std::uint64_t linear, unsigned size) {
    if (within_page(linear, size))
        return physical_read(SKEP_TRY(translate(linear, size, WalkAccess::Read)), size);
    std::uint64_t value = 0;
    for (unsigned i = 0; i < size; i++) {
        std::uint64_t gpa = SKEP_TRY(walk(paging_, memory_, linear + i, WalkAccess::Read));
        value |= physical_read(gpa, 1) << i * 8;
    }
    return value;
}

std::expected<void, GuestFault> GuestAccess::write(std::uint64_t linear, unsigned size,
                                                   std::uint64_t value) {
    if (within_page(linear, size)) {
        physical_write(SKEP_TRY(translate(linear, size, WalkAccess::Write)), size, value);
        return {};
    }
    // Both pages are checked before anything is written.
    SKEP_TRY(walk(paging_, memory_, linear + size - 1, WalkAccess::Write));
    for (unsigned i = 0; i < size; i++) {
        std::uint64_t gpa = SKEP_TRY(walk(paging_, memory_, linear + i, WalkAccess::Write));
        physical_write(gpa, 1, value >> i * 8 & 0xff);
    }
    return {};
}

std::vector<std::uint8_t> GuestAccess::fetch(std::uint64_t linear) {
    std::vector<std::uint8_t> code;
    for (unsigned i = 0; i < kInstructionMax; i++) {
        auto gpa = walk(paging_, memory_, linear + i, WalkAccess::Execute);
        auto byte = gpa ? memory_.read<std::uint8_t>(*gpa) : std::nullopt;
        if (!byte)
            break;
        code.push_back(*byte);
    }
    return code;
}

}  // namespace skep::guestdev
