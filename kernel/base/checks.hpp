// Whether this is a test build (the build option kernel_checks; always on the build host).
#pragma once

namespace skep::kernel {

inline constexpr bool kKernelChecks = SKEP_KERNEL_CHECKS;

}  // namespace skep::kernel
