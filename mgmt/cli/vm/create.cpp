#include "mgmt/cli/await.hpp"
#include "mgmt/cli/call.hpp"
#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/request_id.hpp"
#include "mgmt/cli/show.hpp"
#include "mgmt/cli/size_text.hpp"
#include "mgmt/cli/vm/disk_option.hpp"

#include "skep/api/v1/vm_service.pb.h"

namespace skep::mgmt::cli {
namespace {

using namespace skep::api::v1;

struct Arguments {
    std::string id, memory, kernel, initrd, command_line;
    std::uint32_t cpus = 1;
    std::vector<std::string> disks;
};

Result<CreateVmRequest> request_of(const Arguments& arguments) {
    CreateVmRequest request;
    request.set_vm_id(arguments.id);
    request.set_request_id(new_request_id());
    auto& spec = *request.mutable_vm()->mutable_spec();
    spec.set_vcpus(arguments.cpus);
    if (!arguments.memory.empty()) {
        auto memory = parse_size(arguments.memory);
        RETURN_IF_ERROR(memory);
        spec.set_memory_bytes(*memory);
    }
    spec.mutable_boot()->set_kernel(arguments.kernel);
    spec.mutable_boot()->set_initrd(arguments.initrd);
    spec.mutable_boot()->set_command_line(arguments.command_line);
    for (const auto& text : arguments.disks) {
        auto disk = parse_disk(text);
        RETURN_IF_ERROR(disk);
        *spec.add_disks() = *disk;
    }
    return request;
}

Result<void> run(Context& context, const Arguments& arguments) {
    auto request = request_of(arguments);
    RETURN_IF_ERROR(request);
    CreateVmResponse response;
    RETURN_IF_ERROR(call(context, *request, response));
    auto operation =
        wait_for_operation(context, response.operation(), "creating vms/" + arguments.id);
    RETURN_IF_ERROR(operation);
    auto vm = result_of<Vm>(*operation);
    RETURN_IF_ERROR(vm);
    show(context, *vm,
         vm->name() + " is created; start it with: skep vm start " + id_text(vm->name()) + "\n");
    return {};
}

}  // namespace

void add_vm_create(Parent& vm, Context& context) {
    auto arguments = std::make_shared<Arguments>();
    Command command(vm, "create", "makes a VM and its disks; does not start it");
    command.positional("ID", arguments->id, "a-z, 0-9 and '-', up to 63 characters");
    command.required_option("--kernel", arguments->kernel, "image of a Linux kernel (bzImage)");
    command.option("--initrd", arguments->initrd, "image of an initial RAM disk");
    command.option("--append", arguments->command_line, "for the kernel");
    command.option("--cpus", arguments->cpus, "virtual CPUs (1)");
    command.option("--memory", arguments->memory, "such as 512M (256M); a multiple of 2 MiB");
    command.options("--disk", arguments->disks,
                    "NAME=SIZE or NAME=image:IMAGE[,size=SIZE][,read-only]; may be repeated");
    command.run(context, arguments, run);
}

}  // namespace skep::mgmt::cli
