#include "mgmt/skepd/options.hpp"

#include <string_view>

namespace skep::mgmt {

const char* usage() {
    return "usage: skepd [OPTION]...\n"
           "  --state-dir DIR      where everything is kept (/var/lib/skep)\n"
           "  --listen HOST:PORT   address of the API (0.0.0.0:8443); port 0 takes a free one\n"
           "  --vmm-program PATH   the device process of a guest (/usr/libexec/skep-vmm)\n"
           "  --vmm-control PATH   the device that makes guests (/dev/vmmctl)\n"
           "  --vmm-directory DIR  where guests appear by their names (/dev/vmm)\n"
           "  --new-token          print a one-time token even if somebody has logged in already\n"
           "  --help\n";
}

Result<Options> parse_options(int argc, char** argv) {
    Options options;
    struct Valued {
        std::string_view flag;
        std::string* value;
    };
    const Valued valued[] = {
        {"--state-dir", &options.state_dir},         {"--listen", &options.listen},
        {"--vmm-program", &options.vmm_program},     {"--vmm-control", &options.vmm_control},
        {"--vmm-directory", &options.vmm_directory},
    };
    for (int i = 1; i < argc; ++i) {
        std::string_view argument = argv[i];
        if (argument == "--new-token") {
            options.new_token = true;
            continue;
        }
        if (argument == "--help") {
            options.help = true;
            continue;
        }
        bool known = false;
        for (const auto& [flag, value] : valued) {
            if (argument == flag && i + 1 < argc) {
                *value = argv[++i];
                known = true;
            } else if (argument.starts_with(flag) &&
                       argument.substr(flag.size()).starts_with('=')) {
                *value = argument.substr(flag.size() + 1);
                known = true;
            }
        }
        if (!known)
            return fail(
                Error(Code::InvalidArgument, "BAD_OPTION",
                      "unknown option, or one without its value: " + std::string(argument)));
    }
    return options;
}

}  // namespace skep::mgmt
