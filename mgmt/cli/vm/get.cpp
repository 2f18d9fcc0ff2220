#include "mgmt/cli/call.hpp"
#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/show.hpp"

#include "skep/api/v1/vm_service.pb.h"

namespace skep::mgmt::cli {
namespace {

using namespace skep::api::v1;

struct Arguments {
    std::string id;
};

Result<void> run(Context& context, const Arguments& arguments) {
    GetVmRequest request;
    request.set_name(arguments.id);
    GetVmResponse response;
    RETURN_IF_ERROR(call(context, request, response));
    show(context, response.vm(), details(response.vm()));
    return {};
}

}  // namespace

void add_vm_get(Parent& vm, Context& context) {
    auto arguments = std::make_shared<Arguments>();
    Command command(vm, "get", "all about a VM");
    command.positional("ID", arguments->id);
    command.run(context, arguments, run);
}

}  // namespace skep::mgmt::cli
