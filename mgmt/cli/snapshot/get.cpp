#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/resource_commands.hpp"

#include "skep/api/v1/snapshot_service.pb.h"

namespace skep::mgmt::cli {

using namespace skep::api::v1;

void add_snapshot_get(Parent& snapshot, Context& context) {
    add_showing<GetSnapshotRequest, GetSnapshotResponse, &GetSnapshotResponse::snapshot>(
        snapshot, context, "get", "all about a snapshot");
}

}  // namespace skep::mgmt::cli
