#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/show.hpp"
#include "mgmt/cli/unary.hpp"

#include "skep/api/v1/snapshot_service.grpc.pb.h"

namespace skep::mgmt::cli {
namespace {

using namespace skep::api::v1;

struct Arguments {
    std::string id, etag;
};

Result<void> run(Context& context, const Arguments& arguments) {
    DeleteSnapshotRequest request;
    request.set_name(arguments.id);
    request.set_etag(arguments.etag);
    auto response = unary<SnapshotService>(context, &SnapshotService::Stub::DeleteSnapshot, request);
    RETURN_IF_ERROR(response);
    show(context, *response, "snapshots/" + id_text(arguments.id) + " is deleted\n");
    return {};
}

}  // namespace

void add_snapshot_delete(CLI::App& snapshot, Context& context) {
    auto arguments = std::make_shared<Arguments>();
    auto* command = snapshot.add_subcommand("delete", "deletes a snapshot");
    command->add_option("ID", arguments->id)->required();
    command->add_option("--etag", arguments->etag, "only if it is still as it was at this etag");
    on_chosen(command, context, arguments, run);
}

}  // namespace skep::mgmt::cli
