// The payload's command line (the words after the module's name `kernel`).
#pragma once

#include "hv/lib/types.hpp"

#include <string_view>

namespace skep::hv::selftest {

// Reads it from the boot information; once, before anything asks.
void read_options();

// only=NAME[,NAME...]: is this test wanted? A name stands for every test that contains it.
bool is_wanted(std::string_view test);

// The first line of a text screen, as the payload found it; empty where there is none.
std::string_view screen_line();

}  // namespace skep::hv::selftest
