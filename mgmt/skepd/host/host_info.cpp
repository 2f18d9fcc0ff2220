#include "mgmt/skepd/host/host_info.hpp"

#include "mgmt/common/files.hpp"
#include "mgmt/common/version.hpp"

#include <kernel/include/uapi/skep/vmm.h>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <chrono>

namespace skep::mgmt {
namespace {

const auto process_start = std::chrono::steady_clock::now();

void add_hypervisor(skep::api::v1::Host& host, const std::string& vmm_control) {
    auto control = open_file(vmm_control, O_RDWR);
    if (!control)
        return;  // no hypervisor below this kernel
    skep::uapi::VmmHostInfo info{};
    if (::ioctl(control->get(), skep::uapi::VMM_HOST_INFO, &info) != 0)
        return;
    auto& out = *host.mutable_hypervisor();
    info.host.name[sizeof info.host.name - 1] = '\0';
    out.set_name(info.host.name);
    out.set_abi_version(info.host.abi_version);
    out.set_cpus(info.host.cpu_count);
    out.set_max_vcpus(info.host.max_vcpus);
    out.set_tsc_frequency_hz(info.tsc_frequency);
    out.set_memory_bytes(info.host.hv_size);
    static constexpr std::pair<std::uint32_t, const char*> kFeatures[] = {
        {skep::abi::kFeatureApicv, "apicv"},
        {skep::abi::kFeaturePostedInterrupts, "posted-interrupts"},
        {skep::abi::kFeaturePml, "pml"},
        {skep::abi::kFeatureEptAd, "ept-ad"},
        {skep::abi::kFeaturePreemptionTimer, "preemption-timer"},
        {skep::abi::kFeatureLargePages1G, "1g-pages"},
    };
    for (auto [bit, name] : kFeatures)
        if (info.host.features & bit)
            out.add_features(name);
}

}  // namespace

skep::api::v1::Host host_info(const std::string& vmm_control) {
    skep::api::v1::Host host;
    host.set_name("host");
    host.set_version(kVersion);
    utsname kernel{};
    if (::uname(&kernel) == 0) {
        host.set_hostname(kernel.nodename);
        host.set_kernel(std::string(kernel.sysname) + " " + kernel.release + " " + kernel.version);
    }
    struct sysinfo memory {};
    if (::sysinfo(&memory) == 0) {
        host.set_memory_bytes(memory.totalram * memory.mem_unit);
        host.set_memory_free_bytes(memory.freeram * memory.mem_unit);
        host.mutable_uptime()->set_seconds(memory.uptime);
    }
    auto cpus = ::sysconf(_SC_NPROCESSORS_ONLN);
    host.set_cpus(cpus > 0 ? static_cast<std::uint32_t>(cpus) : 1);
    auto up = std::chrono::steady_clock::now() - process_start;
    host.mutable_process_uptime()->set_seconds(
        std::chrono::duration_cast<std::chrono::seconds>(up).count());
    add_hypervisor(host, vmm_control);
    return host;
}

}  // namespace skep::mgmt
