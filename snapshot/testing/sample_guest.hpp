// A small guest with fixed content: two vCPUs, two RAM regions, three devices, a copied and a
// referenced disk. The golden files hold it, so its content never changes.
#pragma once

#include <snapshot/reader.hpp>
#include <snapshot/writer.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace skep::snapshot::testing {

struct SampleGuest {
    v1::Manifest manifest;
    v1::Clock clock;
    std::vector<v1::VcpuState> vcpus;
    std::vector<std::byte> low_ram, high_ram;  // of manifest.ram 0 and 1
    std::vector<std::byte> disk;               // of manifest.disks 0

    // The state of device `i` of the manifest, all of kind "sample". No real device: those change.
    static v1::Clock device_state(int i);
};

SampleGuest sample_guest();

Status write(const SampleGuest& guest, Sink& sink, WriterOptions options = {});
std::vector<std::byte> write(const SampleGuest& guest, WriterOptions options = {});

// Loads everything of a snapshot and compares it with the guest; says what differs, or nothing.
std::string compare(const Snapshot& snapshot, const SampleGuest& guest);

}  // namespace skep::snapshot::testing
