// skepd's command line.
#pragma once

#include "mgmt/common/error.hpp"

#include <string>

namespace skep::mgmt {

struct Options {
    std::string state_dir = "/var/lib/skep";
    std::string listen = "0.0.0.0:8443";
    std::string vmm_program = "/usr/libexec/skep-vmm";
    std::string vmm_control = "/dev/vmmctl";  // guests are made here
    std::string vmm_directory = "/dev/vmm";   // and appear here by their names
    bool new_token = false;  // print a one-time token even though somebody has logged in already
    bool help = false;
};

const char* usage();
Result<Options> parse_options(int argc, char** argv);

}  // namespace skep::mgmt
