// The commands of skep-snap.
#pragma once

#include <snapshot/error.hpp>

#include <string>

namespace skep::snapshot::tool {

struct InfoOptions {
    std::string file;
    std::string output = "text";
    bool state = false;
};
Status run_info(const InfoOptions& options);

struct VerifyOptions {
    std::string file;
};
Status run_verify(const VerifyOptions& options);

}  // namespace skep::snapshot::tool
