// The payload's command line (the words after the module's name `kernel`).
#pragma once

#include "hv/lib/types.hpp"

#include <string_view>

namespace skep::hv::selftest {

// Reads it from the boot information; once, before anything asks.
void read_options();

// only=NAME[,NAME...]: is this test wanted? A name stands for every test that contains it.
bool is_wanted(std::string_view test);

// calls=N: how many random hypercalls.
u64 option_calls(u64 otherwise);

}  // namespace skep::hv::selftest
