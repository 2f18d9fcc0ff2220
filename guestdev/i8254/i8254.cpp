#include <guestdev/i8254/i8254.hpp>

namespace skep::guestdev {
namespace {

// Control word.
constexpr unsigned kControlPort = 3;
constexpr std::uint8_t kReadBack = 3;  // in the channel field
enum ReadBack : std::uint8_t {
    kNoStatus = 0x10,
    kNoCount = 0x20
};
enum StatusByte : std::uint8_t {
    kStatusOutput = 0x80,
    kStatusNullCount = 0x40
};
enum Port61 : std::uint8_t {
    kGate2 = 1,
    kSpeakerData = 2,
    kRefreshToggle = 0x10,
    kOutput2 = 0x20,
};
constexpr GuestTime kRefreshPeriod = 15'085;  // ns; half of the toggle's period

std::uint16_t to_bcd(std::uint32_t value) {
    value %= 10'000;
    return static_cast<std::uint16_t>(value / 1000 << 12 | value / 100 % 10 << 8 |
                                      value / 10 % 10 << 4 | value % 10);
}

std::uint32_t from_bcd(std::uint16_t value) {
    return (value >> 12) * 1000u + (value >> 8 & 15) * 100u + (value >> 4 & 15) * 10u +
           (value & 15);
}

}  // namespace

std::optional<std::string> I8254Channel::check(const State& state) {
    if (state.mode > 5)
        return "mode is above 5";
    if (state.access < 1 || state.access > 3)
        return "access is not 1, 2 or 3";
    if (state.reload < 1 || state.reload > 0x10000)
        return "reload is not in 1..65536";
    if (state.latched.size() > 3)
        return "more than three bytes are latched";
    return std::nullopt;
}

std::uint64_t I8254Channel::elapsed(GuestTime now) const {
    std::uint64_t tick = ticks_at(now, kFrequency);
    return tick > state.start_tick ? tick - state.start_tick : 0;
}

bool I8254Channel::output(GuestTime now) const {
    if (!state.counting)
        return state.mode != 0;
    std::uint64_t ticks = elapsed(now);
    switch (state.mode) {
        case 0:
        case 1:
            return ticks >= state.reload;
        case 2:
            return !state.gate || ticks % state.reload != state.reload - 1;
        case 3:
            return !state.gate || ticks % state.reload < (state.reload + 1) / 2;
        default:
            return ticks != state.reload;
    }
}

std::uint16_t I8254Channel::count(GuestTime now) const {
    std::uint64_t ticks = state.counting ? elapsed(now) : 0;
    std::uint64_t modulus = state.bcd ? 10'000 : 0x10000;
    std::uint64_t value;
    switch (state.mode) {
        case 2:
            value = state.reload - ticks % state.reload;
            break;
        case 3: {
            // By two: each half of the period counts down the whole value.
            std::uint64_t phase = ticks % state.reload;
            std::uint64_t high = (state.reload + 1) / 2;
            value = state.reload - 2 * (phase < high ? phase : phase - high);
            value &= ~std::uint64_t{1};
            break;
        }
        default:
            value = state.reload + modulus - ticks % modulus;
            break;
    }
    value %= modulus;
    return state.bcd ? to_bcd(static_cast<std::uint32_t>(value))
                     : static_cast<std::uint16_t>(value);
}

void I8254Channel::program(std::uint8_t control) {
    state.access = control >> 4 & 3;
    std::uint8_t mode = control >> 1 & 7;
    state.mode = mode > 5 ? mode & 3 : mode;
    state.bcd = control & 1;
    state.counting = false;
    state.write_high_next = false;
    state.read_high_next = false;
    state.latched.clear();
    state.null_count = true;
}

void I8254Channel::write(std::uint8_t value, GuestTime now) {
    std::uint16_t raw;
    switch (state.access) {
        case 1:
            raw = value;
            break;
        case 2:
            raw = static_cast<std::uint16_t>(value << 8);
            break;
        default:
            if (!state.write_high_next) {
                state.write_low = value;
                state.write_high_next = true;
                if (state.mode == 0)
                    state.counting = false;  // the first byte stops the count
                return;
            }
            state.write_high_next = false;
            raw = static_cast<std::uint16_t>(value << 8 | state.write_low);
            break;
    }
    std::uint32_t reload = state.bcd ? from_bcd(raw) : raw;
    if (reload == 0)
        reload = state.bcd ? 10'000 : 0x10000;
    std::uint64_t tick = ticks_at(now, kFrequency);
    if (is_periodic() && state.counting && reload == state.reload) {
        state.null_count = false;  // the running period goes on
        return;
    }
    state.reload = reload;
    state.null_count = false;
    if (state.mode == 1 || state.mode == 5)
        return;  // a rising gate starts them
    state.counting = state.gate || state.mode == 0 || state.mode == 4;
    state.start_tick = tick;
    state.edges_until_tick = tick;
}

std::uint8_t I8254Channel::read(GuestTime now) {
    if (!state.latched.empty()) {
        std::uint8_t value = state.latched.front();
        state.latched.erase(state.latched.begin());
        return value;
    }
    std::uint16_t value = count(now);
    switch (state.access) {
        case 1:
            return value & 0xff;
        case 2:
            return value >> 8;
        default:
            state.read_high_next = !state.read_high_next;
            return state.read_high_next ? value & 0xff : value >> 8;
    }
}

void I8254Channel::latch_count(GuestTime now) {
    if (!state.latched.empty())
        return;  // the first latch holds until it is read
    std::uint16_t value = count(now);
    if (state.access & 1)
        state.latched.push_back(value & 0xff);
    if (state.access & 2)
        state.latched.push_back(static_cast<std::uint8_t>(value >> 8));
}

void I8254Channel::latch_status(GuestTime now) {
    if (!state.latched.empty())
        return;
    auto status =
        static_cast<std::uint8_t>(state.access << 4 | state.mode << 1 | (state.bcd ? 1 : 0));
    if (output(now))
        status |= kStatusOutput;
    if (state.null_count)
        status |= kStatusNullCount;
    state.latched.push_back(status);
}

void I8254Channel::set_gate(bool gate, GuestTime now) {
    bool rises = gate && !state.gate;
    state.gate = gate;
    // Modes 0 and 4 would hold their count while the gate is low; nothing on a PC lowers it there.
    if (!rises || state.null_count || state.mode == 0 || state.mode == 4)
        return;
    state.counting = true;
    state.start_tick = ticks_at(now, kFrequency);
    state.edges_until_tick = state.start_tick;
}

std::uint64_t I8254Channel::next_edge_tick(std::uint64_t tick) const {
    if (!state.counting || !state.gate)
        return kNever;
    std::uint64_t since = tick > state.start_tick ? tick - state.start_tick : 0;
    switch (state.mode) {
        case 0:
        case 1:
            return since < state.reload ? state.start_tick + state.reload : kNever;
        case 2:
        case 3:
            return state.start_tick + (since / state.reload + 1) * state.reload;
        default:
            return since < state.reload + 1 ? state.start_tick + state.reload + 1 : kNever;
    }
}

bool I8254Channel::rising_edge(GuestTime now) {
    std::uint64_t tick = ticks_at(now, kFrequency);
    if (tick <= state.edges_until_tick)
        return false;
    bool rose = next_edge_tick(state.edges_until_tick) <= tick;
    state.edges_until_tick = tick;
    return rose;
}

GuestTime I8254Channel::next_rising_edge() const {
    std::uint64_t tick = next_edge_tick(state.edges_until_tick);
    return tick == kNever ? kNever : time_of_tick(tick, kFrequency);
}

I8254::I8254() {
    channels[2].state.gate = false;
}

std::uint8_t I8254::read(unsigned port, GuestTime now) {
    return port == kControlPort ? 0xff : channels[port].read(now);
}

void I8254::write(unsigned port, std::uint8_t value, GuestTime now) {
    if (port != kControlPort) {
        channels[port].write(value, now);
        return;
    }
    unsigned select = value >> 6;
    if (select == kReadBack) {
        for (unsigned i = 0; i < kChannels; i++) {
            if (!(value >> (i + 1) & 1))
                continue;
            // Both: the status is read first.
            std::vector<std::uint8_t> status;
            if (!(value & kNoStatus) && channels[i].state.latched.empty()) {
                channels[i].latch_status(now);
                status.swap(channels[i].state.latched);
            }
            if (!(value & kNoCount))
                channels[i].latch_count(now);
            channels[i].state.latched.insert(channels[i].state.latched.begin(), status.begin(),
                                             status.end());
        }
        return;
    }
    if ((value >> 4 & 3) == 0)
        channels[select].latch_count(now);
    else
        channels[select].program(value & 0x3f);
}

std::uint8_t I8254::read_port_61(GuestTime now) const {
    std::uint8_t value = 0;
    if (channels[2].state.gate)
        value |= kGate2;
    if (speaker_data)
        value |= kSpeakerData;
    if (now / kRefreshPeriod & 1)
        value |= kRefreshToggle;
    if (channels[2].output(now))
        value |= kOutput2;
    return value;
}

void I8254::write_port_61(std::uint8_t value, GuestTime now) {
    speaker_data = value & kSpeakerData;
    channels[2].set_gate(value & kGate2, now);
}

}  // namespace skep::guestdev
