#include <kernel/arch/x86_64/hypercall.hpp>

#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/base/log.hpp>
#include <kernel/mm/physical.hpp>

#include <cstring>

namespace skep::kernel {

namespace {

bool present, amd;
abi::HostInfo info;

}  // namespace

void init_hypercalls() {
    const CpuidResult vendor = cpuid(0);
    amd = vendor.ecx == 0x444d'4163 || vendor.ecx == 0x656e'6975;  // "cAMD", "uine" of HygonGenuine
    const CpuidResult signature = cpuid(abi::kCpuidSignatureLeaf);
    constexpr std::uint32_t kHypervisorPresent = 1u << 31;
    present = cpuid(1).ecx & kHypervisorPresent && signature.ebx == abi::kCpuidSignature &&
              signature.ecx == abi::kCpuidSignature && signature.edx == abi::kCpuidSignature;
    if (!present)
        return;
    auto page = allocate_frames(0);
    if (!page)
        panic("no memory");
    const std::int64_t result = hypercall(abi::Hypercall::Info, page->value);
    std::memcpy(&info, direct_map(*page), sizeof info);
    free_frames(*page, 0);
    if (result < 0 || info.abi_version != abi::kVersion)
        panic("hv speaks version {} of its interface (result {}); this kernel knows {}",
              info.abi_version, result, abi::kVersion);
    info.name[sizeof info.name - 1] = 0;
    log("root domain of {}: {} CPU(s)", static_cast<const char*>(info.name), info.cpu_count);
}

bool under_hv() {
    return present;
}
const abi::HostInfo& host_info() {
    return info;
}

std::int64_t hypercall(abi::Hypercall call, std::uint64_t a0, std::uint64_t a1, std::uint64_t a2,
                       std::uint64_t a3, std::uint64_t a4, std::uint64_t a5) {
    if (!present)
        return -static_cast<std::int64_t>(abi::Error::NoCall);
    register std::uint64_t r10 asm("r10") = a3;
    register std::uint64_t r8 asm("r8") = a4;
    register std::uint64_t r9 asm("r9") = a5;
    std::int64_t result;
    if (amd)
        asm volatile("vmmcall"
                     : "=a"(result)
                     : "a"(call), "D"(a0), "S"(a1), "d"(a2), "r"(r10), "r"(r8), "r"(r9)
                     : "memory");
    else
        asm volatile("vmcall"
                     : "=a"(result)
                     : "a"(call), "D"(a0), "S"(a1), "d"(a2), "r"(r10), "r"(r8), "r"(r9)
                     : "memory");
    return result;
}

}  // namespace skep::kernel
