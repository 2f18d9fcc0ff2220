#include "mgmt/cli/await.hpp"
#include "mgmt/cli/call.hpp"
#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/request_id.hpp"
#include "mgmt/cli/show.hpp"
#include "mgmt/cli/size_text.hpp"

#include "skep/api/v1/snapshot_service.pb.h"

namespace skep::mgmt::cli {
namespace {

using namespace skep::api::v1;

struct Arguments {
    std::string vm, id;
    bool stop = false;
};

Result<void> run(Context& context, const Arguments& arguments) {
    SaveSnapshotRequest request;
    request.set_vm(arguments.vm);
    request.set_snapshot_id(arguments.id);
    request.set_after_save(arguments.stop ? AFTER_SAVE_STOP : AFTER_SAVE_RUN);
    request.set_request_id(new_request_id());
    SaveSnapshotResponse response;
    RETURN_IF_ERROR(call(context, request, response));
    auto operation =
        wait_for_operation(context, response.operation(), "saving vms/" + id_text(arguments.vm));
    RETURN_IF_ERROR(operation);
    auto snapshot = result_of<Snapshot>(*operation);
    RETURN_IF_ERROR(snapshot);
    show(context, *snapshot,
         snapshot->source_vm() + " is saved as " + snapshot->name() + " (" +
             size_text(snapshot->size_bytes()) +
             (arguments.stop ? ") and stopped\n" : ") and goes on\n"));
    return {};
}

}  // namespace

void add_snapshot_save(Parent& snapshot, Context& context) {
    auto arguments = std::make_shared<Arguments>();
    Command command(snapshot, "save", "saves a running VM");
    command.positional("VM", arguments->vm);
    command.positional("ID", arguments->id, "of the snapshot");
    command.flag("--stop", arguments->stop, "stop the VM once it is saved; otherwise it goes on");
    command.run(context, arguments, run);
}

}  // namespace skep::mgmt::cli
