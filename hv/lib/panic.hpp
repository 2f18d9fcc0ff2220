// The end: something that hv's own correctness rests on does not hold. Never reached through
// anything that the root domain or a guest does.
#pragma once

#include "hv/lib/log.hpp"

namespace skep::hv {

// From here on the log is nobody else's.
void begin_panic();
// Prints the functions above this frame.
void print_backtrace(u64 frame_pointer);
// Has each other CPU print where it is, and stops the machine.
[[noreturn]] void stop_with_backtrace(u64 frame_pointer);
void print_control_registers();

// Of the program that panics: makes the other CPUs print and halt. hv's is in
// cpu/exceptions.cpp.
void stop_other_cpus();

template <class... Arguments>
[[noreturn]] void panic(std::string_view pattern, const Arguments&... arguments) {
    begin_panic();
    log("PANIC");
    log(pattern, arguments...);
    print_control_registers();
    stop_with_backtrace(reinterpret_cast<u64>(__builtin_frame_address(0)));
}

}  // namespace skep::hv
