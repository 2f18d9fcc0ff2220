// Which FreeBSD programs are told they run on.
#pragma once

#include <cstdint>
#include <string_view>

namespace skep::kernel::freebsd_abi {

inline constexpr std::string_view kSystemName = "FreeBSD", kRelease = "14.0-RELEASE",
                                  kMachine = "amd64";
inline constexpr std::string_view kVersion = "FreeBSD 14.0-RELEASE (Skep) GENERIC\n";
inline constexpr std::uint32_t kReleaseDate = 1400097;  // __FreeBSD_version
inline constexpr std::uint32_t kRevision = 199506;      // kern.osrev

}  // namespace skep::kernel::freebsd_abi
