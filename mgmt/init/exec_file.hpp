// /etc/skep/exec: one command to run instead of the appliance (tools/dev exec).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace skep::mgmt {

inline constexpr const char* kExecFile = "/etc/skep/exec";

// Arguments separated by NUL; a NUL after the last one is not an empty argument.
inline std::vector<std::string> split_arguments(std::string_view content) {
    std::vector<std::string> arguments;
    while (!content.empty()) {
        auto end = content.find('\0');
        arguments.emplace_back(content.substr(0, end));
        if (end == std::string_view::npos)
            break;
        content.remove_prefix(end + 1);
    }
    return arguments;
}

}  // namespace skep::mgmt
