// The end: something that hv's own correctness rests on does not hold. Never reached through
// anything that the root domain or a guest does.
#pragma once

#include "hv/lib/log.hpp"

namespace skep::hv {

// Prints the return addresses above this frame and stops the machine.
[[noreturn]] void stop_with_backtrace(u64 frame_pointer);

template <class... Arguments>
[[noreturn]] void panic(std::string_view pattern, const Arguments&... arguments) {
    log("PANIC");
    log(pattern, arguments...);
    stop_with_backtrace(reinterpret_cast<u64>(__builtin_frame_address(0)));
}

}  // namespace skep::hv
