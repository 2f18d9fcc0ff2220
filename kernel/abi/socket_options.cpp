#include <kernel/abi/socket_options.hpp>

#include <kernel/abi/time.hpp>

#include <algorithm>
#include <limits>

namespace skep::kernel::abi {

namespace {

struct Linger {
    std::int32_t on, seconds;
};

Result<const OptionRow*> find(std::span<const OptionRow> rows, std::int32_t level,
                              std::int32_t name) {
    const auto row = std::ranges::find_if(
        rows, [&](const OptionRow& r) { return r.level == level && r.name == name; });
    if (row == rows.end())
        return fail(Errno::NoProtoOpt);
    return &*row;
}

}  // namespace

Result<> set_socket_option(Socket& socket, std::span<const OptionRow> rows, std::int32_t level,
                           std::int32_t name, UserAddr value, std::uint32_t size) {
    const OptionRow* row = SKEP_TRY(find(rows, level, name));
    switch (row->kind) {
        case OptionKind::Timeout:
        case OptionKind::PositiveTimeout: {
            if (size < sizeof(Timeval))
                return fail(Errno::Inval);
            const auto time = SKEP_TRY(copy_in<Timeval>(value));
            if (time.microseconds < 0 || time.microseconds >= 1'000'000 ||
                (time.seconds < 0 && row->kind == OptionKind::PositiveTimeout))
                return fail(Errno::Dom);
            constexpr std::int64_t kLongest = 1'000'000'000;  // seconds; longer is as good as none
            return socket.set_option(
                row->option,
                std::clamp<std::int64_t>(time.seconds, 0, kLongest) * kNanosecondsPerSecond +
                    time.microseconds * 1000);
        }
        case OptionKind::Linger: {
            if (size < sizeof(Linger))
                return fail(Errno::Inval);
            const auto linger = SKEP_TRY(copy_in<Linger>(value));
            return socket.set_option(row->option, linger.on ? std::max(linger.seconds, 0) : -1);
        }
        case OptionKind::Number:
            break;
    }
    if (size == 0)
        return fail(Errno::Inval);
    if (size < sizeof(std::int32_t))  // IP_TTL, IP_MULTICAST_TTL and others take one byte too
        return socket.set_option(row->option, SKEP_TRY(copy_in<std::uint8_t>(value)));
    return socket.set_option(row->option, SKEP_TRY(copy_in<std::int32_t>(value)));
}

Result<> get_socket_option(Socket& socket, std::span<const OptionRow> rows, std::int32_t level,
                           std::int32_t name, UserAddr value, UserAddr size_address) {
    const OptionRow* row = SKEP_TRY(find(rows, level, name));
    const std::int64_t number = SKEP_TRY(socket.option(row->option));
    switch (row->kind) {
        case OptionKind::Timeout:
        case OptionKind::PositiveTimeout: {
            const Timeval shown = to_timeval(number);
            return put_option(value, size_address, &shown, sizeof shown);
        }
        case OptionKind::Linger: {
            const Linger shown{number >= 0,
                               static_cast<std::int32_t>(std::max<std::int64_t>(number, 0))};
            return put_option(value, size_address, &shown, sizeof shown);
        }
        case OptionKind::Number:
            break;
    }
    return put_number_option(value, size_address, number);
}

Result<> put_option(UserAddr value, UserAddr size_address, const void* data, std::uint32_t size) {
    const auto capacity = SKEP_TRY(copy_in<std::int32_t>(size_address));
    if (capacity < 0)
        return fail(Errno::Inval);
    size = std::min(size, static_cast<std::uint32_t>(capacity));
    SKEP_TRY(copy_out(value, data, size));
    return copy_out(size_address, size);
}

Result<> put_number_option(UserAddr value, UserAddr size_address, std::int64_t number) {
    using Limits = std::numeric_limits<std::int32_t>;
    const auto shown =
        static_cast<std::int32_t>(std::clamp<std::int64_t>(number, Limits::min(), Limits::max()));
    return put_option(value, size_address, &shown, sizeof shown);
}

}  // namespace skep::kernel::abi
