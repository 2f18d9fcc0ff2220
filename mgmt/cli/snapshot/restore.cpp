#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/await.hpp"
#include "mgmt/cli/request_id.hpp"
#include "mgmt/cli/show.hpp"
#include "mgmt/cli/unary.hpp"

#include "skep/api/v1/snapshot_service.grpc.pb.h"

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
    auto response = unary<SnapshotService>(context, &SnapshotService::Stub::RestoreSnapshot, request);
    RETURN_IF_ERROR(response);
    auto operation = wait_for_operation(context, response->operation(), "restoring vms/" + arguments.vm);
    RETURN_IF_ERROR(operation);
    auto vm = result_of<Vm>(*operation);
    RETURN_IF_ERROR(vm);
    show(context, *vm,
         vm->name() + " is restored from " + vm->source_snapshot() + " and " + state_text(vm->state()) + "\n");
    return {};
}

}  // namespace

void add_snapshot_restore(CLI::App& snapshot, Context& context) {
    auto arguments = std::make_shared<Arguments>();
    auto* command = snapshot.add_subcommand("restore", "makes a new VM of a snapshot and lets it go on");
    command->add_option("ID", arguments->id, "of the snapshot")->required();
    command->add_option("VM", arguments->vm, "id of the new VM")->required();
    command->add_flag("--paused", arguments->paused, "do not let it run yet; 'skep vm start' does");
    on_chosen(command, context, arguments, run);
}

}  // namespace skep::mgmt::cli
