// The peer: the same guest over Linux's KVM (Documentation/virt/kvm/api.rst).

#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "tests/bench/exits.hpp"

namespace {

constexpr size_t memory_bytes = 2 << 20;

struct Vm {
    int vcpu;
    kvm_run* page;

    int run_to_port() {
        if (::ioctl(vcpu, KVM_RUN, 0) != 0 || page->exit_reason != KVM_EXIT_IO) {
            std::fprintf(stderr, "exits: exit %u\n", page->exit_reason);
            return -1;
        }
        return page->io.port;
    }
};

int fail(const char* what) {
    std::perror(what);
    return 1;
}

}  // namespace

int main() {
    const int kvm = ::open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm < 0) {
        return fail("/dev/kvm");
    }
    const int vm = ::ioctl(kvm, KVM_CREATE_VM, 0);
    if (vm < 0 || ::ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000) != 0) {
        return fail("KVM_CREATE_VM");
    }
    void* const memory =
        ::mmap(nullptr, memory_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const auto code = skep::bench::guest_code();
    std::copy(code.begin(), code.end(),
              static_cast<unsigned char*>(memory) + skep::bench::guest_entry);
    kvm_userspace_memory_region region{};
    region.memory_size = memory_bytes;
    region.userspace_addr = reinterpret_cast<uint64_t>(memory);
    if (::ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) != 0) {
        return fail("KVM_SET_USER_MEMORY_REGION");
    }
    const int vcpu = ::ioctl(vm, KVM_CREATE_VCPU, 0);
    const int page_bytes = ::ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (vcpu < 0 || page_bytes < 0) {
        return fail("KVM_CREATE_VCPU");
    }
    void* const page = ::mmap(nullptr, static_cast<size_t>(page_bytes), PROT_READ | PROT_WRITE,
                              MAP_SHARED, vcpu, 0);
    kvm_sregs segments{};
    kvm_regs registers{};
    registers.rip = skep::bench::guest_entry;
    registers.rflags = 2;
    if (::ioctl(vcpu, KVM_GET_SREGS, &segments) != 0) {
        return fail("KVM_GET_SREGS");
    }
    segments.cs.base = 0;
    segments.cs.selector = 0;
    if (::ioctl(vcpu, KVM_SET_SREGS, &segments) != 0 ||
        ::ioctl(vcpu, KVM_SET_REGS, &registers) != 0) {
        return fail("KVM_SET_REGS");
    }
    Vm guest{vcpu, static_cast<kvm_run*>(page)};
    return skep::bench::measure(guest);
}
