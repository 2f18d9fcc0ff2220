#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/resource_commands.hpp"

#include "skep/api/v1/vm_service.pb.h"

namespace skep::mgmt::cli {
namespace {

using namespace skep::api::v1;

struct Arguments {
    ResourceArguments vm;
    bool force = false;
};

Result<void> run(Context& context, const Arguments& arguments) {
    DeleteVmRequest request;
    request.set_force(arguments.force);
    return call_delete<DeleteVmResponse>(context, request, arguments.vm, "vms");
}

}  // namespace

void add_vm_delete(Parent& vm, Context& context) {
    auto arguments = std::make_shared<Arguments>();
    Command command(vm, "delete", "deletes a VM and its disks");
    command.positional("ID", arguments->vm.id);
    command.flag("--force", arguments->force, "stop it first if it runs");
    take_etag(command, arguments->vm.etag);
    command.run(context, arguments, run);
}

}  // namespace skep::mgmt::cli
