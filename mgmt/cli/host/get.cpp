#include "mgmt/cli/call.hpp"
#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/show.hpp"
#include "mgmt/cli/size_text.hpp"

#include "skep/api/v1/host_service.pb.h"

namespace skep::mgmt::cli {
namespace {

using namespace skep::api::v1;

std::string joined(const google::protobuf::RepeatedPtrField<std::string>& words) {
    std::string text;
    for (const auto& word : words)
        text += (text.empty() ? "" : ", ") + word;
    return text;
}

Result<void> run(Context& context) {
    GetHostResponse response;
    RETURN_IF_ERROR(call(context, GetHostRequest(), response));
    const auto& host = response.host();
    const auto& hv = host.hypervisor();
    show(
        context, host,
        details_text({{"host", host.hostname()},
                      {"skepd", host.version() + ", up " + duration_text(host.process_uptime())},
                      {"kernel", host.kernel()},
                      {"uptime", duration_text(host.uptime())},
                      {"cpus", std::to_string(host.cpus())},
                      {"memory", size_text(host.memory_bytes()) + ", " +
                                     size_text(host.memory_free_bytes()) + " free"},
                      {"running vms", std::to_string(host.running_vms())},
                      {"hypervisor", host.has_hypervisor() ? hv.name() : "none: guests cannot run"},
                      {"hv memory", host.has_hypervisor() ? size_text(hv.memory_bytes()) : ""},
                      {"hv features", joined(hv.features())},
                      {"tsc", hv.tsc_frequency_hz()
                                  ? std::to_string(hv.tsc_frequency_hz() / 1'000'000) + " MHz"
                                  : ""}}));
    return {};
}

}  // namespace

void add_host_get(Parent& host, Context& context) {
    Command command(host, "get", "what the appliance is, and whether it can run guests");
    command.run(context, run);
}

}  // namespace skep::mgmt::cli
