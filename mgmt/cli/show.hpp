// How resources look: as JSON, as details, as a row of a table.
#pragma once

#include "mgmt/cli/context.hpp"
#include "mgmt/cli/output.hpp"

#include "skep/api/v1/image_service.pb.h"
#include "skep/api/v1/operation_service.pb.h"
#include "skep/api/v1/snapshot_service.pb.h"
#include "skep/api/v1/vm_service.pb.h"

#include <cstdio>
#include <string>

namespace skep::mgmt::cli {

std::string details(const skep::api::v1::Vm& vm);
std::string details(const skep::api::v1::Snapshot& snapshot);
std::string details(const skep::api::v1::Image& image);
std::string details(const skep::api::v1::Operation& operation);

std::string state_text(skep::api::v1::VmState state);  // "running"

// The resource as JSON, or `text` for people.
inline void show(const Context& context, const google::protobuf::Message& message,
                 const std::string& text) {
    std::fputs((context.json ? json_text(message) : text).c_str(), stdout);
}

}  // namespace skep::mgmt::cli
