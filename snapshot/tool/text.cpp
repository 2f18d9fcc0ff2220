#include <snapshot/tool/text.hpp>

#include <fmt/format.h>

#include <ctime>

namespace skep::snapshot::tool {

std::string size_text(std::uint64_t bytes) {
    constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
    constexpr double kStep = 1024;
    if (bytes < kStep)
        return fmt::format("{} B", bytes);
    double value = static_cast<double>(bytes) / kStep;
    const char* const* unit = kUnits;
    while (value >= kStep && unit + 1 != std::end(kUnits)) {
        value /= kStep;
        ++unit;
    }
    return fmt::format("{:.1f} {}", value, *unit);
}

std::string time_text(std::int64_t unix_ns) {
    const std::time_t seconds = unix_ns / 1'000'000'000;
    std::tm calendar{};
    if (::gmtime_r(&seconds, &calendar) == nullptr)
        return "?";
    char text[64];
    return {text, std::strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &calendar)};
}

std::string hex_text(std::span<const std::byte> data) {
    std::string text;
    for (const std::byte byte : data)
        text += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
    return text;
}

std::string ratio_text(std::uint64_t content, std::uint64_t stored) {
    if (stored == 0)
        return "-";
    return fmt::format("{:.1f}:1", static_cast<double>(content) / static_cast<double>(stored));
}

}  // namespace skep::snapshot::tool
