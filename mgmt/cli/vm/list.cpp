#include "mgmt/cli/call.hpp"
#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/show.hpp"
#include "mgmt/cli/size_text.hpp"

#include "skep/api/v1/vm_service.pb.h"

namespace skep::mgmt::cli {
namespace {

using namespace skep::api::v1;

Result<void> run(Context& context) {
    ListVmsResponse all;
    RETURN_IF_ERROR(call_for_all_pages(context, ListVmsRequest(), all));
    std::vector<TableRow> rows = {{"NAME", "STATE", "VCPUS", "MEMORY", "CREATED"}};
    for (const auto& vm : all.vms())
        rows.push_back({id_text(vm.name()), state_text(vm.state()),
                        std::to_string(vm.spec().vcpus()), size_text(vm.spec().memory_bytes()),
                        time_text(vm.create_time())});
    show(context, all, table_text(rows));
    return {};
}

}  // namespace

void add_vm_list(Parent& vm, Context& context) {
    Command command(vm, "list", "the VMs");
    command.run(context, run);
}

}  // namespace skep::mgmt::cli
