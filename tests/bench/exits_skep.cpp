// What Skep charges for a CPUID exit and for a port write that the device process handles. Runs in
// the appliance.

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <string>

#include "kernel/include/uapi/skep/vmm.h"
#include "tests/bench/exits.hpp"

namespace {

using namespace skep::uapi;
using skep::abi::Field;
using skep::abi::FieldValue;

constexpr size_t memory_bytes = 2 << 20;
constexpr const char* name = "bench-exits";

struct Vm {
    int device;
    skep::abi::VcpuPage* page;
    bool started = false;

    int run_to_port() {
        if (started) {
            // The port write that was handed to us is done: go past it.
            page->rip += page->instruction_length;
            page->write_back = skep::abi::kWriteBackRip;
        }
        started = true;
        VmmVcpu vcpu{};
        if (::ioctl(device, VMM_VCPU_RUN, &vcpu) != 0 ||
            page->reason != skep::abi::ExitReason::Io) {
            std::fprintf(stderr, "exits: exit %u: %s\n", static_cast<unsigned>(page->reason),
                         std::strerror(errno));
            return -1;
        }
        return page->io.port;
    }
};

int fail(const char* what) {
    std::perror(what);
    return 1;
}

int run(int device) {
    VmmMemAdd memory_region{.gpa = 0, .size = memory_bytes};
    if (::ioctl(device, VMM_MEM_ADD, &memory_region) != 0) {
        return fail("VMM_MEM_ADD");
    }
    void* const memory =
        ::mmap(nullptr, memory_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, device, 0);
    if (memory == MAP_FAILED) {
        return fail("mmap of the guest's memory");
    }
    const auto code = skep::bench::guest_code();
    std::copy(code.begin(), code.end(),
              static_cast<unsigned char*>(memory) + skep::bench::guest_entry);
    std::array<skep::abi::CpuidEntry, 128> leaves{};
    VmmCpuid cpuid{};
    cpuid.count = leaves.size();
    cpuid.entries = reinterpret_cast<uint64_t>(leaves.data());
    if (::ioctl(device, VMM_SUPPORTED_CPUID, &cpuid) != 0 ||
        ::ioctl(device, VMM_SET_CPUID, &cpuid) != 0) {
        return fail("VMM_SET_CPUID");
    }
    VmmVcpu vcpu{};
    if (::ioctl(device, VMM_VCPU_CREATE, &vcpu) != 0) {
        return fail("VMM_VCPU_CREATE");
    }
    void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, device,
                              static_cast<off_t>(VMM_PAGE_OFFSET));
    if (page == MAP_FAILED) {
        return fail("mmap of the vCPU's page");
    }
    std::array values{
        FieldValue{.id = Field::CsSelector, .reserved = 0, .value = 0},
        FieldValue{.id = Field::CsBase, .reserved = 0, .value = 0},
        FieldValue{.id = Field::Rip, .reserved = 0, .value = skep::bench::guest_entry},
        FieldValue{.id = Field::Rflags, .reserved = 0, .value = 2},
    };
    VmmFields fields{};
    fields.count = values.size();
    fields.fields = reinterpret_cast<uint64_t>(values.data());
    if (::ioctl(device, VMM_SET_FIELDS, &fields) != 0) {
        return fail("VMM_SET_FIELDS");
    }
    Vm guest{device, static_cast<skep::abi::VcpuPage*>(page)};
    return skep::bench::measure(guest);
}

}  // namespace

int main() {
    const int control = ::open("/dev/vmmctl", O_RDWR | O_CLOEXEC);
    if (control < 0) {
        return fail("/dev/vmmctl");
    }
    VmmCreate create{};
    std::strncpy(create.name, name, sizeof(create.name) - 1);
    if (::ioctl(control, VMMCTL_CREATE, &create) != 0) {
        return fail("VMMCTL_CREATE");
    }
    const int device = ::open((std::string("/dev/vmm/") + name).c_str(), O_RDWR | O_CLOEXEC);
    const int status = device < 0 ? fail("/dev/vmm") : run(device);
    VmmDestroy destroy{};
    std::strncpy(destroy.name, name, sizeof(destroy.name) - 1);
    if (::ioctl(control, VMMCTL_DESTROY, &destroy) != 0) {
        return fail("VMMCTL_DESTROY");
    }
    return status;
}
