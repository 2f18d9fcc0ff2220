#include <kernel/arch/x86_64/hpet.hpp>

namespace skep::kernel {

namespace {

// Words of 32 bits; section 2.3.
constexpr std::size_t kPeriod = 0x004 / 4, kConfiguration = 0x010 / 4, kCounter = 0x0f0 / 4;
constexpr std::uint32_t kEnable = 1;
constexpr std::uint32_t kLongestPeriod = 100'000'000;  // femtoseconds: 2.3.4

}  // namespace

std::optional<Hpet> Hpet::start(PhysAddr where) {
    const auto mapped = map_device(where, kPageSize);
    if (!mapped)
        return std::nullopt;
    auto* registers = static_cast<volatile std::uint32_t*>(*mapped);
    const std::uint32_t period = registers[kPeriod];
    if (period == 0 || period > kLongestPeriod)
        return std::nullopt;
    registers[kConfiguration] = registers[kConfiguration] | kEnable;
    return Hpet(registers, period);
}

std::uint32_t Hpet::counter() const {
    return registers_[kCounter];
}

}  // namespace skep::kernel
