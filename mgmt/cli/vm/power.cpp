// start and stop.
#include "mgmt/cli/await.hpp"
#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/request_id.hpp"
#include "mgmt/cli/resource_commands.hpp"

#include "skep/api/v1/vm_service.pb.h"

namespace skep::mgmt::cli {
namespace {

using namespace skep::api::v1;

// What both do: an operation that ends with the VM in its new state.
template <typename Request, typename Response>
Result<void> change_power(Context& context, const ResourceArguments& given, const char* doing) {
    Request request;
    request.set_name(given.id);
    request.set_etag(given.etag);
    request.set_request_id(new_request_id());
    Response response;
    RETURN_IF_ERROR(call(context, request, response));
    auto operation =
        wait_for_operation(context, response.operation(), doing + (" vms/" + id_text(given.id)));
    RETURN_IF_ERROR(operation);
    auto vm = result_of<Vm>(*operation);
    RETURN_IF_ERROR(vm);
    show(context, *vm, vm->name() + " is " + state_text(vm->state()) + "\n");
    return {};
}

Result<void> start(Context& context, const ResourceArguments& given) {
    return change_power<StartVmRequest, StartVmResponse>(context, given, "starting");
}

Result<void> stop(Context& context, const ResourceArguments& given) {
    return change_power<StopVmRequest, StopVmResponse>(context, given, "stopping");
}

void add(Parent& vm, Context& context, const char* verb, const char* description,
         Result<void> (*body)(Context&, const ResourceArguments&)) {
    auto arguments = std::make_shared<ResourceArguments>();
    Command command(vm, verb, description);
    command.positional("ID", arguments->id);
    take_etag(command, arguments->etag);
    command.run(context, arguments, body);
}

}  // namespace

void add_vm_start(Parent& vm, Context& context) {
    add(vm, context, "start", "starts a VM, or lets a paused one go on", start);
}

void add_vm_stop(Parent& vm, Context& context) {
    add(vm, context, "stop", "stops a VM as pulling the plug would", stop);
}

}  // namespace skep::mgmt::cli
