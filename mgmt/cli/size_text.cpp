#include "mgmt/cli/size_text.hpp"

#include <cctype>
#include <charconv>
#include <cstdio>

namespace skep::mgmt::cli {

Result<std::uint64_t> parse_size(std::string_view text) {
    auto wrong = [&] {
        return fail(
            Error(Code::InvalidArgument, "INVALID_SIZE", "'" + std::string(text) + "' is no size")
                .with_hint("write it as 4096, 64M or 1G"));
    };
    std::uint64_t number = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc())
        return wrong();
    std::string unit(end, text.data() + text.size());
    for (auto& c : unit)
        c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    if (unit.ends_with("IB"))
        unit.resize(unit.size() - 2);
    else if (unit.size() > 1 && unit.ends_with('B'))
        unit.resize(unit.size() - 1);
    constexpr std::string_view kUnits = "BKMGT";
    auto power = unit.empty() ? 0 : kUnits.find(unit);
    if (unit.size() > 1 || power == std::string_view::npos)
        return wrong();
    if (number > UINT64_MAX >> (10 * power))
        return wrong();
    return number << (10 * power);
}

std::string size_text(std::uint64_t bytes) {
    static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    if (bytes < 1024)
        return std::to_string(bytes) + " B";
    auto value = static_cast<double>(bytes);
    unsigned unit = 0;
    for (; value >= 1023.95 && unit < 5; ++unit)
        value /= 1024;
    char text[32];
    std::snprintf(text, sizeof text, "%.1f %s", value, kUnits[unit]);
    return text;
}

}  // namespace skep::mgmt::cli
