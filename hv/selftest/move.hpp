// A vCPU's whole state, from one VM to another.
#pragma once

#include "hv/selftest/guest.hpp"

namespace skep::hv::selftest {

// RAM, every field, XSAVE area and local APIC of vCPU 0.
void move(Guest& from, Guest& to);

}  // namespace skep::hv::selftest
