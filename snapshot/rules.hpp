// What a manifest and a vCPU record must contain; writer and reader refuse the same things.
#pragma once

#include <skep/snapshot/v1/snapshot.pb.h>
#include <skep/snapshot/v1/vcpu.pb.h>

#include <snapshot/coverage.hpp>
#include <snapshot/error.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace skep::snapshot {

inline constexpr std::uint32_t kMaxVcpus = 1024;

// Features that a manifest may require.
inline constexpr std::string_view kFeatureZstd = "zstd";  // pages in ENCODING_ZSTD

Status check_manifest(const v1::Manifest& manifest);

// Every field must be present, whatever its value.
Status check_vcpu(const v1::VcpuState& state);

// What must be in the file's page records.
Coverage ram_coverage(const v1::Manifest& manifest);
std::vector<Coverage> disk_coverage(const v1::Manifest& manifest);  // nothing for references

// Bytes of all copied disks, each rounded up to pages.
std::uint64_t copied_disk_bytes(const v1::Manifest& manifest);

std::string device_name(std::string_view kind, std::string_view instance);

}  // namespace skep::snapshot
