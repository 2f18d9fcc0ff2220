#include <kernel/base/symbols.hpp>

#include <algorithm>

extern "C" {
// Absent in the first link.
[[gnu::weak]] extern const std::uint32_t symbol_count;
[[gnu::weak]] extern const std::uint32_t symbol_addresses[], symbol_places[];
[[gnu::weak]] extern const char symbol_names[];
extern char text_start[], text_end[];
}

namespace skep::kernel {

FunctionName function_at(std::uint64_t address) {
    if (!&symbol_count || address < reinterpret_cast<std::uint64_t>(text_start) ||
        address >= reinterpret_cast<std::uint64_t>(text_end))
        return {"?"};
    const auto low = static_cast<std::uint32_t>(address);
    const std::uint32_t* end = symbol_addresses + symbol_count;
    const std::uint32_t* after = std::upper_bound(symbol_addresses, end, low);
    if (after == symbol_addresses)
        return {"?"};
    const auto index = after - symbol_addresses - 1;
    return {symbol_names + symbol_places[index], low - symbol_addresses[index]};
}

}  // namespace skep::kernel
