#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/show.hpp"
#include "mgmt/cli/size_text.hpp"
#include "mgmt/cli/unary.hpp"

#include "skep/api/v1/host_service.grpc.pb.h"

namespace skep::mgmt::cli {
namespace {

using namespace skep::api::v1;

struct Arguments {};

std::string joined(const google::protobuf::RepeatedPtrField<std::string>& words) {
    std::string text;
    for (const auto& word : words)
        text += (text.empty() ? "" : ", ") + word;
    return text;
}

Result<void> run(Context& context, const Arguments&) {
    auto response = unary<HostService>(context, &HostService::Stub::GetHost, GetHostRequest());
    RETURN_IF_ERROR(response);
    const auto& host = response->host();
    const auto& hv = host.hypervisor();
    show(context, host,
         details_text({{"host", host.hostname()},
                       {"skepd", host.version() + ", up " + duration_text(host.process_uptime())},
                       {"kernel", host.kernel()},
                       {"uptime", duration_text(host.uptime())},
                       {"cpus", std::to_string(host.cpus())},
                       {"memory", size_text(host.memory_bytes()) + ", " + size_text(host.memory_free_bytes()) + " free"},
                       {"running vms", std::to_string(host.running_vms())},
                       {"hypervisor", host.has_hypervisor() ? hv.name() : "none: guests cannot run"},
                       {"hv memory", host.has_hypervisor() ? size_text(hv.memory_bytes()) : ""},
                       {"hv features", joined(hv.features())},
                       {"tsc", hv.tsc_frequency_hz() ? std::to_string(hv.tsc_frequency_hz() / 1'000'000) + " MHz" : ""}}));
    return {};
}

}  // namespace

void add_host_get(CLI::App& host, Context& context) {
    auto* command = host.add_subcommand("get", "what the appliance is, and whether it can run guests");
    on_chosen(command, context, std::make_shared<Arguments>(), run);
}

}  // namespace skep::mgmt::cli
