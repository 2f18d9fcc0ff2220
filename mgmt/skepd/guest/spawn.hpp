// Starts a guest's device process.
#pragma once

#include "mgmt/common/error.hpp"

#include <sys/types.h>

#include <string>

namespace skep::mgmt {

// Executes `program` with exactly these descriptors: 0 /dev/null, 1 and 2 ours, 3 `control`, 4
// `device`, 5 `console` (proto/skep/control/v1/control.proto). `name` is its only argument, for
// people who look at processes.
Result<pid_t> spawn_device_process(const std::string& program, const std::string& name, int control,
                                   int device, int console);

}  // namespace skep::mgmt
