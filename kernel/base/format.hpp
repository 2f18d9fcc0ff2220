// The formatter behind log(): writes into a fixed buffer, cuts what does not fit.
#pragma once

#include <kernel/base/log.hpp>

#include <span>

namespace skep::kernel {

// -> characters written. Missing arguments print as "{?}", superfluous ones are ignored.
std::size_t format_arguments(std::span<char> buffer, std::string_view format,
                             const LogArgument* arguments, unsigned count);

template <typename... A>
std::string_view format_to(std::span<char> buffer, std::string_view format, const A&... a) {
    const LogArgument arguments[sizeof...(A) + 1] = {LogArgument(a)..., LogArgument("")};
    return {buffer.data(), format_arguments(buffer, format, arguments, sizeof...(A))};
}

}  // namespace skep::kernel
