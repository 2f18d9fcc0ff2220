// What the snapshot library says of a file, in the terms of the API.
#pragma once

#include "mgmt/common/error.hpp"

#include "skep/api/v1/snapshot_service.pb.h"

#include <string>

namespace skep::mgmt {

// Reads the whole file. Fills in spec, creator and sizes; an error names the record and the offset.
Result<skep::api::v1::Snapshot> judge_snapshot(int fd, const std::string& name);

}  // namespace skep::mgmt
