#include "mgmt/skepd/guest/vmm_device.hpp"

#include "mgmt/common/files.hpp"

#include <kernel/include/uapi/skep/vmm.h>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace skep::mgmt {
namespace {

template <typename Argument>
Argument named(const std::string& name) {
    Argument argument{};
    std::strncpy(argument.name, name.c_str(), sizeof argument.name - 1);
    return argument;
}

// EBUSY: a vCPU still runs; its process has been killed or is ending.
int destroy_by_name(int control, const std::string& name) {
    auto argument = named<skep::uapi::VmmDestroy>(name);
    for (int attempt = 0;; ++attempt) {
        if (::ioctl(control, skep::uapi::VMMCTL_DESTROY, &argument) == 0)
            return 0;
        if (errno != EBUSY || attempt == 100)
            return errno;
        ::usleep(50'000);
    }
}

}  // namespace

Result<void> check_can_run_guests(const VmmPaths& paths) {
    if (::access(paths.control.c_str(), R_OK | W_OK) != 0)
        return fail(
            Error(Code::FailedPrecondition, "NO_HYPERVISOR",
                  "this machine cannot run guests: " + paths.control + ": " + std::strerror(errno))
                .on("host")
                .with_hint("boot the appliance with its hypervisor; 'skep host get' shows whether "
                           "it is there"));
    if (::access(paths.program.c_str(), X_OK) != 0)
        return fail(
            Error(Code::FailedPrecondition, "NO_DEVICE_PROGRAM",
                  "this machine cannot run guests: " + paths.program + ": " + std::strerror(errno))
                .on("host"));
    return {};
}

Result<VmmDevice> VmmDevice::create(const VmmPaths& paths, const std::string& name) {
    auto control = open_file(paths.control, O_RDWR);
    RETURN_IF_ERROR(control);
    auto argument = named<skep::uapi::VmmCreate>(name);
    int result = ::ioctl(control->get(), skep::uapi::VMMCTL_CREATE, &argument);
    if (result != 0 && errno == EEXIST && destroy_by_name(control->get(), name) == 0)
        result = ::ioctl(control->get(), skep::uapi::VMMCTL_CREATE, &argument);
    if (result != 0)
        return fail(system_error(errno, "the hypervisor makes no guest " + name));
    VmmDevice device(std::move(*control), name);
    auto node = open_file(paths.directory + "/" + name, O_RDWR);
    RETURN_IF_ERROR(node);
    device.node_ = std::move(*node);
    return device;
}

void VmmDevice::destroy_leftover(const VmmPaths& paths, const std::string& name) {
    if (auto control = open_file(paths.control, O_RDWR))
        destroy_by_name(control->get(), name);
}

Result<void> VmmDevice::destroy() {
    if (!control_)
        return {};
    node_.reset();
    int error = destroy_by_name(control_.get(), name_);
    control_.reset();
    if (error != 0)
        return fail(system_error(error, "the hypervisor does not destroy guest " + name_));
    return {};
}

VmmDevice::~VmmDevice() {
    [[maybe_unused]] auto result = destroy();
}

}  // namespace skep::mgmt
