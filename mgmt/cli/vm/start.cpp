#include "mgmt/cli/await.hpp"
#include "mgmt/cli/call.hpp"
#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/request_id.hpp"
#include "mgmt/cli/show.hpp"

#include "skep/api/v1/vm_service.pb.h"

namespace skep::mgmt::cli {
namespace {

using namespace skep::api::v1;

struct Arguments {
    std::string id, etag;
};

Result<void> run(Context& context, const Arguments& arguments) {
    StartVmRequest request;
    request.set_name(arguments.id);
    request.set_etag(arguments.etag);
    request.set_request_id(new_request_id());
    StartVmResponse response;
    RETURN_IF_ERROR(call(context, request, response));
    auto operation =
        wait_for_operation(context, response.operation(), "starting vms/" + id_text(arguments.id));
    RETURN_IF_ERROR(operation);
    auto vm = result_of<Vm>(*operation);
    RETURN_IF_ERROR(vm);
    show(context, *vm, vm->name() + " is " + state_text(vm->state()) + "\n");
    return {};
}

}  // namespace

void add_vm_start(Parent& vm, Context& context) {
    auto arguments = std::make_shared<Arguments>();
    Command command(vm, "start", "starts a VM, or lets a paused one go on");
    command.positional("ID", arguments->id);
    command.option("--etag", arguments->etag, "only if it is still as it was at this etag");
    command.run(context, arguments, run);
}

}  // namespace skep::mgmt::cli
