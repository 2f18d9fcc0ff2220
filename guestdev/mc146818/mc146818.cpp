#include <guestdev/mc146818/mc146818.hpp>

#include <algorithm>
#include <chrono>

namespace skep::guestdev {
namespace {

enum Register : std::uint8_t {
    kSeconds = 0,
    kSecondsAlarm = 1,
    kMinutes = 2,
    kMinutesAlarm = 3,
    kHours = 4,
    kHoursAlarm = 5,
    kDayOfWeek = 6,
    kDayOfMonth = 7,
    kMonth = 8,
    kYear = 9,
    kRegisterA = 10,
    kRegisterB = 11,
    kRegisterC = 12,
    kRegisterD = 13,
};
enum RegisterA : std::uint8_t {
    kUpdateInProgress = 0x80,
    kRateMask = 0x0f,
    kDividerOn = 0x20
};
enum RegisterB : std::uint8_t {
    kSet = 0x80,
    kPeriodicEnable = 0x40,
    kAlarmEnable = 0x20,
    kUpdateEnable = 0x10,
    kBinary = 0x04,
    k24Hours = 0x02,
};
enum RegisterC : std::uint8_t {
    kInterrupt = 0x80,
    kPeriodic = 0x40,
    kAlarm = 0x20,
    kUpdate = 0x10
};
constexpr std::uint8_t kValidRam = 0x80;  // register D
constexpr std::uint8_t kPm = 0x80;        // in the hours, 12-hour mode
constexpr std::uint8_t kAnyAlarm = 0xc0;  // an alarm byte with both bits matches always

// The registers are about to change for the last 244 us of each second.
constexpr std::int64_t kUpdateTime = 244'000;
constexpr std::int64_t kSecond = static_cast<std::int64_t>(kNanosecondsPerSecond);

std::int64_t floor_seconds(std::int64_t ns) {
    return ns >= 0 ? ns / kSecond : -((-ns + kSecond - 1) / kSecond);
}

}  // namespace

std::optional<std::string> Mc146818::check(const State& state) {
    if (state.index >= kMemorySize)
        return "index is above 127";
    // The years 1717 to 2223: what 64 bits of nanoseconds hold with room for guest time.
    constexpr std::int64_t kLimit = 8'000'000'000 * kSecond;
    if (state.wall_clock_ns > kLimit || state.wall_clock_ns < -kLimit)
        return "wall clock is out of range";
    return std::nullopt;
}

Mc146818::Mc146818(std::int64_t wall_clock_ns) {
    state_.wall_clock_ns = wall_clock_ns;
    state_.memory[kRegisterA] = kDividerOn | 6;  // 1024 Hz, as a BIOS leaves it
    state_.memory[kRegisterB] = k24Hours;
    state_.memory[kRegisterD] = kValidRam;
}

bool Mc146818::clock_set() const {
    return state_.memory[kRegisterB] & kSet;
}

std::uint8_t Mc146818::encode(unsigned value) const {
    if (state_.memory[kRegisterB] & kBinary)
        return static_cast<std::uint8_t>(value);
    return static_cast<std::uint8_t>(value / 10 % 10 << 4 | value % 10);
}

unsigned Mc146818::decode(std::uint8_t value) const {
    if (state_.memory[kRegisterB] & kBinary)
        return value;
    return (value >> 4) * 10u + (value & 15);
}

std::uint8_t Mc146818::encode_hour(unsigned hour) const {
    if (state_.memory[kRegisterB] & k24Hours)
        return encode(hour);
    std::uint8_t value = encode(hour % 12 == 0 ? 12 : hour % 12);
    return hour >= 12 ? value | kPm : value;
}

unsigned Mc146818::decode_hour(std::uint8_t value) const {
    if (state_.memory[kRegisterB] & k24Hours)
        return decode(value);
    unsigned hour = decode(value & static_cast<std::uint8_t>(~kPm)) % 12;
    return value & kPm ? hour + 12 : hour;
}

bool Mc146818::update_in_progress(GuestTime now) const {
    if (clock_set())
        return false;
    std::int64_t ns = state_.wall_clock_ns + static_cast<std::int64_t>(now);
    return ns - floor_seconds(ns) * kSecond >= kSecond - kUpdateTime;
}

GuestTime Mc146818::periodic_interval() const {
    unsigned rate = state_.memory[kRegisterA] & kRateMask;
    if (rate == 0)
        return 0;
    if (rate <= 2)  // table 5: 1 and 2 repeat 8 and 9
        rate += 7;
    return kNanosecondsPerSecond * (1u << (rate - 1)) / 32'768;
}

void Mc146818::show_time(GuestTime now) {
    using namespace std::chrono;
    std::int64_t seconds_total =
        floor_seconds(state_.wall_clock_ns + static_cast<std::int64_t>(now));
    sys_seconds time{seconds{seconds_total}};
    auto day_point = floor<days>(time);
    year_month_day date{day_point};
    auto of_day = static_cast<unsigned>((time - day_point).count());
    auto year = static_cast<int>(date.year());
    auto& memory = state_.memory;
    memory[kSeconds] = encode(of_day % 60);
    memory[kMinutes] = encode(of_day / 60 % 60);
    memory[kHours] = encode_hour(of_day / 3600);
    memory[kDayOfWeek] = encode(weekday{day_point}.c_encoding() + 1);
    memory[kDayOfMonth] = encode(static_cast<unsigned>(date.day()));
    memory[kMonth] = encode(static_cast<unsigned>(date.month()));
    memory[kYear] = encode(static_cast<unsigned>(year % 100));
    memory[kCenturyRegister] = encode(static_cast<unsigned>(year / 100));
}

void Mc146818::take_time(GuestTime now) {
    using namespace std::chrono;
    const auto& memory = state_.memory;
    auto in = [&](std::uint8_t reg, unsigned low, unsigned high) {
        return std::clamp(decode(memory[reg]), low, high);
    };
    unsigned century = in(kCenturyRegister, 18, 21);
    year_month_day date{year{static_cast<int>(century * 100 + in(kYear, 0, 99))},
                        month{in(kMonth, 1, 12)}, day{in(kDayOfMonth, 1, 31)}};
    sys_seconds time = sys_days{date.year() / date.month() / 1} +
                       days{static_cast<unsigned>(date.day()) - 1} +
                       hours{std::min(decode_hour(memory[kHours]), 23u)} +
                       minutes{in(kMinutes, 0, 59)} + seconds{in(kSeconds, 0, 59)};
    // A set clock starts its first second half-way (data sheet: the divider is reset).
    state_.wall_clock_ns =
        time.time_since_epoch().count() * kSecond + kSecond / 2 - static_cast<std::int64_t>(now);
}

bool Mc146818::alarm_matches(std::int64_t unix_seconds) const {
    std::int64_t of_day = unix_seconds % 86'400;
    if (of_day < 0)
        of_day += 86'400;
    auto second = static_cast<unsigned>(of_day);
    const auto& memory = state_.memory;
    auto any = [&](std::uint8_t reg) { return (memory[reg] & kAnyAlarm) == kAnyAlarm; };
    return (any(kSecondsAlarm) || decode(memory[kSecondsAlarm]) == second % 60) &&
           (any(kMinutesAlarm) || decode(memory[kMinutesAlarm]) == second / 60 % 60) &&
           (any(kHoursAlarm) || decode_hour(memory[kHoursAlarm]) == second / 3600);
}

void Mc146818::advance(GuestTime now) {
    if (now <= state_.checked_ns)
        return;
    GuestTime from = state_.checked_ns;
    state_.checked_ns = now;
    std::uint8_t flags = 0;
    if (GuestTime interval = periodic_interval(); interval && from / interval != now / interval)
        flags |= kPeriodic;
    if (!clock_set()) {
        std::int64_t first = floor_seconds(state_.wall_clock_ns + static_cast<std::int64_t>(from));
        std::int64_t last = floor_seconds(state_.wall_clock_ns + static_cast<std::int64_t>(now));
        if (first != last)
            flags |= kUpdate;
        // An alarm repeats daily, so a day of seconds decides; it is checked only when asked for.
        bool wanted = state_.memory[kRegisterB] & kAlarmEnable;
        for (std::int64_t s = std::max(first + 1, last - 86'400); wanted && s <= last; s++) {
            if (alarm_matches(s)) {
                flags |= kAlarm;
                break;
            }
        }
    }
    std::uint8_t& c = state_.memory[kRegisterC];
    c |= flags;
    if (c & state_.memory[kRegisterB] & (kPeriodic | kAlarm | kUpdate))
        c |= kInterrupt;
}

GuestTime Mc146818::next_event() const {
    std::uint8_t enabled = state_.memory[kRegisterB];
    // A flag that is set already interrupts no more until register C is read.
    enabled &= static_cast<std::uint8_t>(~state_.memory[kRegisterC]);
    GuestTime next = kNever;
    if (enabled & kPeriodicEnable) {
        if (GuestTime interval = periodic_interval())
            next = (state_.checked_ns / interval + 1) * interval;
    }
    if ((enabled & (kAlarmEnable | kUpdateEnable)) && !clock_set()) {
        std::int64_t ns = state_.wall_clock_ns + static_cast<std::int64_t>(state_.checked_ns);
        std::int64_t boundary = (floor_seconds(ns) + 1) * kSecond;
        next = std::min(next, state_.checked_ns + static_cast<GuestTime>(boundary - ns));
    }
    return next;
}

bool Mc146818::interrupt() const {
    return state_.memory[kRegisterC] & kInterrupt;
}

std::uint8_t Mc146818::read_data(GuestTime now) {
    advance(now);
    switch (state_.index) {
        case kSeconds:
        case kMinutes:
        case kHours:
        case kDayOfWeek:
        case kDayOfMonth:
        case kMonth:
        case kYear:
        case kCenturyRegister:
            if (!clock_set())
                show_time(now);
            return state_.memory[state_.index];
        case kRegisterA:
            return static_cast<std::uint8_t>(state_.memory[kRegisterA] |
                                             (update_in_progress(now) ? kUpdateInProgress : 0));
        case kRegisterC: {
            std::uint8_t value = state_.memory[kRegisterC];
            state_.memory[kRegisterC] = 0;
            return value;
        }
        default:
            return state_.memory[state_.index];
    }
}

void Mc146818::write_data(std::uint8_t value, GuestTime now) {
    advance(now);
    switch (state_.index) {
        case kSeconds:
        case kMinutes:
        case kHours:
        case kDayOfWeek:
        case kDayOfMonth:
        case kMonth:
        case kYear:
        case kCenturyRegister:
            if (!clock_set())
                show_time(now);
            state_.memory[state_.index] = value;
            if (!clock_set())
                take_time(now);
            break;
        case kRegisterA:
            state_.memory[kRegisterA] = value & static_cast<std::uint8_t>(~kUpdateInProgress);
            break;
        case kRegisterB: {
            if (!clock_set() && (value & kSet))
                show_time(now);
            bool released = clock_set() && !(value & kSet);
            // The SET bit disables the update interrupt.
            if (value & kSet)
                value &= static_cast<std::uint8_t>(~kUpdateEnable);
            // Released: the registers are read in the mode that they were written in.
            if (released)
                take_time(now);
            state_.memory[kRegisterB] = value;
            if (state_.memory[kRegisterC] & value & (kPeriodic | kAlarm | kUpdate))
                state_.memory[kRegisterC] |= kInterrupt;
            break;
        }
        case kRegisterC:
        case kRegisterD:
            break;
        default:
            state_.memory[state_.index] = value;
            break;
    }
}

}  // namespace skep::guestdev
