#include <kernel/arch/x86_64/rtc.hpp>

#include <kernel/arch/x86_64/cpu.hpp>

#include <array>

namespace skep::kernel {

namespace {

constexpr std::uint16_t kIndexPort = 0x70, kDataPort = 0x71;
constexpr std::uint8_t kStatusA = 10, kStatusB = 11, kUpdateInProgress = 0x80, kBinary = 4,
                       k24Hour = 2, kPm = 0x80;

std::uint8_t read_register(std::uint8_t index) {
    out8(kIndexPort, index);
    return in8(kDataPort);
}

using Reading = std::array<std::uint8_t, 6>;  // second, minute, hour, day, month, year

Reading read_all() {
    for (int i = 0; i < 100'000 && read_register(kStatusA) & kUpdateInProgress; i++)
        pause();
    return {read_register(0), read_register(2), read_register(4),
            read_register(7), read_register(8), read_register(9)};
}

// Days from 1970-01-01 in the proleptic Gregorian calendar, years counted from March.
std::int64_t days_since_epoch(int year, int month, int day) {
    if (month <= 2) {
        year--;
        month += 12;
    }
    const int day_of_year = (153 * (month - 3) + 2) / 5 + day - 1;
    return std::int64_t{365} * year + year / 4 - year / 100 + year / 400 + day_of_year - 719468;
}

}  // namespace

std::int64_t read_rtc() {
    Reading r = read_all();
    for (int i = 0; i < 5; i++) {  // an update may have come in between
        const Reading again = read_all();
        if (again == r)
            break;
        r = again;
    }
    const std::uint8_t format = read_register(kStatusB);
    const bool pm = r[2] & kPm;
    r[2] &= static_cast<std::uint8_t>(~kPm);
    if (!(format & kBinary))
        for (auto& v : r)
            v = static_cast<std::uint8_t>((v >> 4) * 10 + (v & 15));
    int hour = r[2];
    if (!(format & k24Hour))
        hour = hour % 12 + (pm ? 12 : 0);
    return ((days_since_epoch(2000 + r[5], r[4], r[3]) * 24 + hour) * 60 + r[1]) * 60 + r[0];
}

}  // namespace skep::kernel
