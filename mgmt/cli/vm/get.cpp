#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/show.hpp"
#include "mgmt/cli/unary.hpp"

#include "skep/api/v1/vm_service.grpc.pb.h"

namespace skep::mgmt::cli {
namespace {

using namespace skep::api::v1;

struct Arguments {
    std::string id;
};

Result<void> run(Context& context, const Arguments& arguments) {
    GetVmRequest request;
    request.set_name(arguments.id);
    auto response = unary<VmService>(context, &VmService::Stub::GetVm, request);
    RETURN_IF_ERROR(response);
    show(context, response->vm(), details(response->vm()));
    return {};
}

}  // namespace

void add_vm_get(CLI::App& vm, Context& context) {
    auto arguments = std::make_shared<Arguments>();
    auto* command = vm.add_subcommand("get", "all about a VM");
    command->add_option("ID", arguments->id)->required();
    on_chosen(command, context, arguments, run);
}

}  // namespace skep::mgmt::cli
