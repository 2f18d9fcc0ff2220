#include "mgmt/cli/call.hpp"
#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/show.hpp"

#include "skep/api/v1/vm_service.pb.h"

namespace skep::mgmt::cli {
namespace {

using namespace skep::api::v1;

struct Arguments {
    std::string id, etag;
    bool force = false;
};

Result<void> run(Context& context, const Arguments& arguments) {
    DeleteVmRequest request;
    request.set_name(arguments.id);
    request.set_etag(arguments.etag);
    request.set_force(arguments.force);
    DeleteVmResponse response;
    RETURN_IF_ERROR(call(context, request, response));
    show(context, response, "vms/" + id_text(arguments.id) + " is deleted\n");
    return {};
}

}  // namespace

void add_vm_delete(Parent& vm, Context& context) {
    auto arguments = std::make_shared<Arguments>();
    Command command(vm, "delete", "deletes a VM and its disks");
    command.positional("ID", arguments->id);
    command.flag("--force", arguments->force, "stop it first if it runs");
    command.option("--etag", arguments->etag, "only if it is still as it was at this etag");
    command.run(context, arguments, run);
}

}  // namespace skep::mgmt::cli
