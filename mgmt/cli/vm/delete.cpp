#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/show.hpp"
#include "mgmt/cli/unary.hpp"

#include "skep/api/v1/vm_service.grpc.pb.h"

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
    auto response = unary<VmService>(context, &VmService::Stub::DeleteVm, request);
    RETURN_IF_ERROR(response);
    show(context, *response, "vms/" + id_text(arguments.id) + " is deleted\n");
    return {};
}

}  // namespace

void add_vm_delete(CLI::App& vm, Context& context) {
    auto arguments = std::make_shared<Arguments>();
    auto* command = vm.add_subcommand("delete", "deletes a VM and its disks");
    command->add_option("ID", arguments->id)->required();
    command->add_flag("--force", arguments->force, "stop it first if it runs");
    command->add_option("--etag", arguments->etag, "only if it is still as it was at this etag");
    on_chosen(command, context, arguments, run);
}

}  // namespace skep::mgmt::cli
