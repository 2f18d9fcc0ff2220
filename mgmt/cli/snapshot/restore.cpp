#include "mgmt/cli/await.hpp"
#include "mgmt/cli/call.hpp"
#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/request_id.hpp"
#include "mgmt/cli/show.hpp"

#include "skep/api/v1/snapshot_service.pb.h"

namespace skep::mgmt::cli {
namespace {

using namespace skep::api::v1;

struct Arguments {
    std::string id, vm;
    bool paused = false;
};

Result<void> run(Context& context, const Arguments& arguments) {
    RestoreSnapshotRequest request;
    request.set_name(arguments.id);
    request.set_vm_id(arguments.vm);
    request.set_paused(arguments.paused);
    request.set_request_id(new_request_id());
    RestoreSnapshotResponse response;
    RETURN_IF_ERROR(call(context, request, response));
    auto operation =
        wait_for_operation(context, response.operation(), "restoring vms/" + arguments.vm);
    RETURN_IF_ERROR(operation);
    auto vm = result_of<Vm>(*operation);
    RETURN_IF_ERROR(vm);
    show(context, *vm,
         vm->name() + " is restored from " + vm->source_snapshot() + " and " +
             state_text(vm->state()) + "\n");
    return {};
}

}  // namespace

void add_snapshot_restore(Parent& snapshot, Context& context) {
    auto arguments = std::make_shared<Arguments>();
    Command command(snapshot, "restore", "makes a new VM of a snapshot and lets it go on");
    command.positional("ID", arguments->id, "of the snapshot");
    command.positional("VM", arguments->vm, "id of the new VM");
    command.flag("--paused", arguments->paused, "do not let it run yet; 'skep vm start' does");
    command.run(context, arguments, run);
}

}  // namespace skep::mgmt::cli
