#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/show.hpp"
#include "mgmt/cli/size_text.hpp"
#include "mgmt/cli/unary.hpp"

#include "skep/api/v1/vm_service.grpc.pb.h"

namespace skep::mgmt::cli {
namespace {

using namespace skep::api::v1;

struct Arguments {};

Result<void> run(Context& context, const Arguments&) {
    auto all = all_pages<VmService>(context, &VmService::Stub::ListVms, ListVmsRequest());
    RETURN_IF_ERROR(all);
    std::vector<TableRow> rows = {{"NAME", "STATE", "VCPUS", "MEMORY", "CREATED"}};
    for (const auto& vm : all->vms())
        rows.push_back({id_text(vm.name()), state_text(vm.state()), std::to_string(vm.spec().vcpus()), size_text(vm.spec().memory_bytes()), time_text(vm.create_time())});
    show(context, *all, table_text(rows));
    return {};
}

}  // namespace

void add_vm_list(CLI::App& vm, Context& context) {
    auto* command = vm.add_subcommand("list", "the VMs");
    on_chosen(command, context, std::make_shared<Arguments>(), run);
}

}  // namespace skep::mgmt::cli
