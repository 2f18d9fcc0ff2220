#include "hv/cpu/backend.hpp"

#include "hv/lib/panic.hpp"

namespace skep::hv::vmx {

const char* missing() {
    return "VT-x is not supported by this build";
}

Backend& instance() {
    panic("no VT-x");
}

}  // namespace skep::hv::vmx
