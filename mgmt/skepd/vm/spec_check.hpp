// Judges a machine spec that came from outside, and fills in what it leaves open.
#pragma once

#include "mgmt/common/error.hpp"

#include "skep/vm/v1/spec.pb.h"

#include <cstdint>
#include <functional>
#include <string>

namespace skep::mgmt {

// Size of the image "images/ID", or NOT_FOUND.
using ImageSize = std::function<Result<std::uint64_t>(const std::string& id)>;

// vcpus 0 becomes 1, memory 0 becomes 256 MiB, image names become "images/ID", a disk's name
// "diskN", its size that of its image. Errors name the field, as in "vm.spec.disks[1].size_bytes".
// What one guest can have here; 0: not known.
struct HostLimits {
    std::uint32_t vcpus = 0;
    std::uint64_t memory_bytes = 0;
};

// Whether this machine can run it at all. FAILED_PRECONDITION names what it lacks.
Result<void> check_fits(const skep::vm::v1::MachineSpec& spec, const HostLimits& limits);

Result<skep::vm::v1::MachineSpec> checked_spec(skep::vm::v1::MachineSpec spec,
                                               const ImageSize& image_size);

}  // namespace skep::mgmt
