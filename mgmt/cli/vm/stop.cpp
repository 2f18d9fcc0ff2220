#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/await.hpp"
#include "mgmt/cli/request_id.hpp"
#include "mgmt/cli/show.hpp"
#include "mgmt/cli/unary.hpp"

#include "skep/api/v1/vm_service.grpc.pb.h"

namespace skep::mgmt::cli {
namespace {

using namespace skep::api::v1;

struct Arguments {
    std::string id, etag;
};

Result<void> run(Context& context, const Arguments& arguments) {
    StopVmRequest request;
    request.set_name(arguments.id);
    request.set_etag(arguments.etag);
    request.set_request_id(new_request_id());
    auto response = unary<VmService>(context, &VmService::Stub::StopVm, request);
    RETURN_IF_ERROR(response);
    auto operation = wait_for_operation(context, response->operation(), "stopping vms/" + id_text(arguments.id));
    RETURN_IF_ERROR(operation);
    auto vm = result_of<Vm>(*operation);
    RETURN_IF_ERROR(vm);
    show(context, *vm, vm->name() + " is " + state_text(vm->state()) + "\n");
    return {};
}

}  // namespace

void add_vm_stop(CLI::App& vm, Context& context) {
    auto arguments = std::make_shared<Arguments>();
    auto* command = vm.add_subcommand("stop", "stops a VM as pulling the plug would");
    command->add_option("ID", arguments->id)->required();
    command->add_option("--etag", arguments->etag, "only if it is still as it was at this etag");
    on_chosen(command, context, arguments, run);
}

}  // namespace skep::mgmt::cli
