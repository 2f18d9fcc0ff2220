#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/connect.hpp"
#include "mgmt/cli/show.hpp"
#include "mgmt/cli/size_text.hpp"
#include "mgmt/cli/transfer.hpp"

#include "skep/api/v1/snapshot_service.grpc.pb.h"

namespace skep::mgmt::cli {
namespace {

using namespace skep::api::v1;

struct Arguments {
    std::string id, path;
};

Result<void> run(Context& context, const Arguments& arguments) {
    auto file = open_for_sending(arguments.path);
    RETURN_IF_ERROR(file);
    ImportSnapshotRequest request;
    request.set_snapshot_id(arguments.id);
    request.set_size_bytes(file->size);
    auto snapshots = connect<SnapshotService>(context);
    RETURN_IF_ERROR(snapshots);
    ImportSnapshotResponse response;
    auto call = authorized(context);
    auto writer = (*snapshots)->ImportSnapshot(call.get(), &response);
    Progress progress("importing snapshots/" + arguments.id);
    auto sent = send_file(*writer, std::move(request), *file, arguments.path, progress);
    if (!sent)
        call->TryCancel();
    // The server verifies the file before it answers.
    auto status = writer->Finish();
    RETURN_IF_ERROR(sent);
    if (!status.ok())
        return fail(from_grpc(status));
    progress.finish();
    const auto& snapshot = response.snapshot();
    show(
        context, snapshot,
        snapshot.name() + " is imported and verified (" + size_text(snapshot.size_bytes()) + ")\n");
    return {};
}

}  // namespace

void add_snapshot_import(Parent& snapshot, Context& context) {
    auto arguments = std::make_shared<Arguments>();
    Command command(snapshot, "import", "takes in a file that 'export' wrote, here or elsewhere");
    command.positional("ID", arguments->id, "of the snapshot");
    command.positional("FILE", arguments->path);
    command.run(context, arguments, run);
}

}  // namespace skep::mgmt::cli
