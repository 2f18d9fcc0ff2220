// A guest of the control kernel: made through /dev/vmmctl, opened as /dev/vmm/NAME, destroyed in
// the end (kernel/include/uapi/skep/vmm.h). Its memory comes back when it is destroyed.
#pragma once

#include "mgmt/common/error.hpp"
#include "mgmt/common/unique_fd.hpp"

#include <string>

namespace skep::mgmt {

struct VmmPaths {
    std::string program;    // skep-vmm
    std::string control;    // /dev/vmmctl
    std::string directory;  // /dev/vmm
};

// FAILED_PRECONDITION, saying what is missing, if this machine cannot run guests.
Result<void> check_can_run_guests(const VmmPaths& paths);

class VmmDevice {
  public:
    // A guest of that name that an earlier skepd left is destroyed first.
    static Result<VmmDevice> create(const VmmPaths& paths, const std::string& name);
    // One that may be left from an earlier run. Nothing there is fine.
    static void destroy_leftover(const VmmPaths& paths, const std::string& name);

    VmmDevice(VmmDevice&& other) noexcept = default;
    VmmDevice& operator=(VmmDevice&&) = delete;
    ~VmmDevice();

    int fd() const { return node_.get(); }
    // Our own descriptor of the node is not needed once the device process has its own.
    void close_node() { node_.reset(); }
    // Destroys the guest now. Done by the destructor if not before.
    Result<void> destroy();

  private:
    VmmDevice(UniqueFd control, std::string name)
        : control_(std::move(control)), name_(std::move(name)) {}

    UniqueFd control_;  // empty after a move or destroy()
    UniqueFd node_;
    std::string name_;
};

}  // namespace skep::mgmt
