#include "hv/lib/symbols.hpp"

#include <algorithm>

extern "C" {
extern const skep::hv::u32 symbol_count;
extern const skep::hv::u32 symbol_addresses[], symbol_places[];
extern const char symbol_names[];
}

namespace skep::hv {

FunctionName function_at(u64 address) {
    const u32 low = static_cast<u32>(address);
    const u32* end = symbol_addresses + symbol_count;
    const u32* after = std::upper_bound(symbol_addresses, end, low);
    if (after == symbol_addresses)
        return {"?"};
    const auto index = after - symbol_addresses - 1;
    return {symbol_names + symbol_places[index], low - symbol_addresses[index]};
}

}  // namespace skep::hv
