#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/resource_commands.hpp"

#include "skep/api/v1/snapshot_service.pb.h"

namespace skep::mgmt::cli {

using namespace skep::api::v1;

void add_snapshot_delete(Parent& snapshot, Context& context) {
    auto arguments = std::make_shared<ResourceArguments>();
    Command command(snapshot, "delete", "deletes a snapshot");
    command.positional("ID", arguments->id);
    take_etag(command, arguments->etag);
    command.run(
        context, arguments, +[](Context& within, const ResourceArguments& given) {
            return call_delete<DeleteSnapshotResponse>(within, DeleteSnapshotRequest(), given,
                                                       "snapshots");
        });
}

}  // namespace skep::mgmt::cli
