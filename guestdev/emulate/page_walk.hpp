// The guest's own translation of linear to guest-physical addresses (SDM vol. 3, 4.3-4.5), as far
// as an instruction that skep-vmm completes needs it. Protection keys, SMAP and CET are left to
// hardware, which checked the access that left the guest.
#pragma once

#include <guestdev/core/memory.hpp>
#include <hv/abi/vcpu.hpp>

#include <cstdint>
#include <expected>

namespace skep::guestdev {

// An exception to be delivered in place of the instruction.
struct GuestFault {
    std::uint8_t vector;
    bool has_code;
    std::uint32_t code;
    std::uint64_t address;  // CR2, of a page fault
};

struct PagingState {
    std::uint64_t cr0, cr3, cr4, efer;
    bool user;  // CPL 3

    static PagingState of(const abi::VcpuPage& page) {
        return {page.cr0, page.cr3, page.cr4, page.efer, page.cpl == 3};
    }
};

enum class WalkAccess {
    Read,
    Write,
    Execute
};

// The guest-physical address; sets accessed and dirty bits as the CPU would.
std::expected<std::uint64_t, GuestFault> walk(const PagingState& state, const GuestMemory& memory,
                                              std::uint64_t linear, WalkAccess access);

}  // namespace skep::guestdev
