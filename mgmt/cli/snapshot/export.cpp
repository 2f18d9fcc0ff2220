#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/connect.hpp"
#include "mgmt/cli/progress.hpp"
#include "mgmt/cli/show.hpp"
#include "mgmt/cli/size_text.hpp"
#include "mgmt/cli/snapshot/unlink_on_signal.hpp"
#include "mgmt/common/files.hpp"

#include "skep/api/v1/snapshot_service.grpc.pb.h"

#include <optional>

namespace skep::mgmt::cli {
namespace {

using namespace skep::api::v1;

struct Arguments {
    std::string id, path;
    bool overwrite = false;
};

Result<Snapshot> receive(Context& context, const Arguments& arguments, PartialFile& file) {
    auto snapshots = connect<SnapshotService>(context);
    RETURN_IF_ERROR(snapshots);
    ExportSnapshotRequest request;
    request.set_name(arguments.id);
    auto call = authorized(context);
    auto reader = (*snapshots)->ExportSnapshot(call.get(), request);
    Progress progress("exporting snapshots/" + id_text(arguments.id));
    ExportSnapshotResponse part;
    Snapshot snapshot;
    std::uint64_t received = 0;
    Result<void> written;
    while (written && reader->Read(&part)) {
        if (part.has_snapshot()) {
            snapshot = part.snapshot();
            continue;
        }
        written = file.write(part.chunk());
        received += part.chunk().size();
        progress.update(received, snapshot.size_bytes());
    }
    if (!written)
        call->TryCancel();
    auto status = reader->Finish();
    RETURN_IF_ERROR(written);
    if (!status.ok())
        return fail(from_grpc(status));
    if (received != snapshot.size_bytes())
        return fail(Error(Code::DataLoss, "SIZE_MISMATCH",
                          snapshot.name() + ": " + std::to_string(snapshot.size_bytes()) +
                              " bytes were announced, " + std::to_string(received) + " arrived"));
    progress.finish();
    return snapshot;
}

Result<void> run(Context& context, const Arguments& arguments) {
    if (!arguments.overwrite && file_exists(arguments.path))
        return fail(Error(Code::AlreadyExists, "FILE_EXISTS", arguments.path + " is there already")
                        .with_hint("choose another name, or replace it with --overwrite"));
    auto slash = arguments.path.rfind('/');
    auto directory = slash == std::string::npos ? "."
                     : slash == 0               ? "/"
                                                : arguments.path.substr(0, slash);
    std::optional<UnlinkOnSignal> cleanup;
    auto file = [&] {
        SignalsHeld held;
        auto made = PartialFile::create(directory, arguments.path.substr(slash + 1), 0600);
        if (made)
            cleanup.emplace(made->path());
        return made;
    }();
    RETURN_IF_ERROR(file);
    auto snapshot = receive(context, arguments, *file);
    RETURN_IF_ERROR(snapshot);
    RETURN_IF_ERROR(file->commit());
    show(context, *snapshot,
         snapshot->name() + " is exported to " + arguments.path + " (" +
             size_text(snapshot->size_bytes()) + ")\n");
    return {};
}

}  // namespace

void add_snapshot_export(Parent& snapshot, Context& context) {
    auto arguments = std::make_shared<Arguments>();
    Command command(snapshot, "export", "writes a snapshot to a file here; whole or not at all");
    command.positional("ID", arguments->id);
    command.positional("FILE", arguments->path);
    command.flag("--overwrite", arguments->overwrite, "replace FILE if it is there");
    command.run(context, arguments, run);
}

}  // namespace skep::mgmt::cli
