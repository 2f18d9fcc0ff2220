#include <guestdev/vmm/dev_vmm.hpp>

#include <kernel/include/uapi/skep/vmm.h>

#include <sys/ioctl.h>
#include <sys/mman.h>

#include <cerrno>

namespace skep::guestdev {
namespace {

constexpr std::size_t kPageSize = 4096;
constexpr std::uint32_t kCpuidMax = 128;

Code code_of(int number) {
    switch (number) {
        case EINVAL:
            return Code::InvalidArgument;
        case ENOENT:
            return Code::NotFound;
        case ENOMEM:
            return Code::ResourceExhausted;
        case EOPNOTSUPP:
            return Code::Unimplemented;
        default:
            return Code::Internal;
    }
}

std::uint64_t user_address(const void* pointer) {
    return reinterpret_cast<std::uint64_t>(pointer);
}

}  // namespace

DevVmm::~DevVmm() {
    for (auto mapping : mappings_)
        munmap(mapping.data(), mapping.size());
}

template <typename Argument>
Status DevVmm::call(unsigned long request, Argument& argument, const char* what) const {
    if (ioctl(fd_, request, &argument) == 0)
        return {};
    int number = errno;
    return fail_errno(code_of(number), std::string("/dev/vmm: ") + what, number);
}

Result<std::span<std::byte>> DevVmm::map(std::uint64_t offset, std::uint64_t size,
                                         const char* what) {
    void* address =
        mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, static_cast<off_t>(offset));
    if (address == MAP_FAILED) {
        int number = errno;
        return fail_errno(code_of(number), std::string("/dev/vmm: mapping ") + what, number);
    }
    mappings_.emplace_back(static_cast<std::byte*>(address), size);
    return mappings_.back();
}

Result<HostCapabilities> DevVmm::host() {
    uapi::VmmHostInfo info{};
    SKEP_TRY(call(uapi::VMM_HOST_INFO, info, "asking for the host's abilities"));
    return HostCapabilities{.host = info.host, .tsc_frequency = info.tsc_frequency};
}

Result<std::vector<abi::CpuidEntry>> DevVmm::supported_cpuid() {
    std::vector<abi::CpuidEntry> entries(kCpuidMax);
    uapi::VmmCpuid argument{
        .count = kCpuidMax, .reserved = 0, .entries = user_address(entries.data())};
    SKEP_TRY(call(uapi::VMM_SUPPORTED_CPUID, argument, "asking for the supported CPUID"));
    entries.resize(std::min(argument.count, kCpuidMax));
    return entries;
}

Status DevVmm::set_cpuid(std::span<const abi::CpuidEntry> entries) {
    uapi::VmmCpuid argument{.count = static_cast<std::uint32_t>(entries.size()),
                            .reserved = 0,
                            .entries = user_address(entries.data())};
    return call(uapi::VMM_SET_CPUID, argument, "setting CPUID");
}

Result<std::span<std::byte>> DevVmm::add_memory(std::uint64_t gpa, std::uint64_t size) {
    uapi::VmmMemAdd argument{.gpa = gpa, .size = size};
    SKEP_TRY(call(uapi::VMM_MEM_ADD, argument, "adding memory"));
    return map(gpa, size, "memory");
}

Status DevVmm::send_msi(const Msi& msi) {
    uapi::VmmMsi argument{.address = msi.address, .data = msi.data, .reserved = 0};
    return call(uapi::VMM_MSI, argument, "sending an interrupt");
}

Result<abi::VcpuPage*> DevVmm::create_vcpu(unsigned index) {
    uapi::VmmVcpu argument{.index = index, .reserved = 0};
    SKEP_TRY(call(uapi::VMM_VCPU_CREATE, argument, "creating a vCPU"));
    auto page = SKEP_TRY(map(uapi::VMM_PAGE_OFFSET + index * kPageSize, kPageSize, "a vCPU page"));
    return reinterpret_cast<abi::VcpuPage*>(page.data());
}

Result<Vmm::RunEnd> DevVmm::run(unsigned index) {
    uapi::VmmVcpu argument{.index = index, .reserved = 0};
    if (ioctl(fd_, uapi::VMM_VCPU_RUN, &argument) == 0)
        return RunEnd::Exit;
    int number = errno;
    if (number == EINTR)
        return RunEnd::Kicked;
    return fail_errno(code_of(number), "/dev/vmm: running vCPU " + std::to_string(index), number);
}

void DevVmm::kick(unsigned index) {
    uapi::VmmVcpu argument{.index = index, .reserved = 0};
    // It fails only for a vCPU that does not exist, which has nothing to be kicked out of.
    (void)ioctl(fd_, uapi::VMM_VCPU_KICK, &argument);
}

Status DevVmm::get_fields(unsigned index, std::span<abi::FieldValue> fields) {
    uapi::VmmFields argument{.index = index,
                             .count = static_cast<std::uint32_t>(fields.size()),
                             .fields = user_address(fields.data())};
    return call(uapi::VMM_GET_FIELDS, argument, "reading a vCPU's fields");
}

Status DevVmm::set_fields(unsigned index, std::span<const abi::FieldValue> fields) {
    uapi::VmmFields argument{.index = index,
                             .count = static_cast<std::uint32_t>(fields.size()),
                             .fields = user_address(fields.data())};
    return call(uapi::VMM_SET_FIELDS, argument, "setting a vCPU's fields");
}

Result<std::vector<std::byte>> DevVmm::get_xsave(unsigned index) {
    std::vector<std::byte> area(kPageSize);
    uapi::VmmBlob argument{.index = index,
                           .size = static_cast<std::uint32_t>(area.size()),
                           .data = user_address(area.data())};
    SKEP_TRY(call(uapi::VMM_GET_XSAVE, argument, "reading a vCPU's XSAVE area"));
    area.resize(std::min<std::size_t>(argument.size, area.size()));
    return area;
}

Status DevVmm::set_xsave(unsigned index, std::span<const std::byte> area) {
    uapi::VmmBlob argument{.index = index,
                           .size = static_cast<std::uint32_t>(area.size()),
                           .data = user_address(area.data())};
    return call(uapi::VMM_SET_XSAVE, argument, "setting a vCPU's XSAVE area");
}

Status DevVmm::get_apic(unsigned index, std::span<std::byte, 4096> page) {
    uapi::VmmBlob argument{.index = index, .size = 4096, .data = user_address(page.data())};
    return call(uapi::VMM_GET_APIC, argument, "reading a vCPU's APIC");
}

Status DevVmm::set_apic(unsigned index, std::span<const std::byte, 4096> page) {
    uapi::VmmBlob argument{.index = index, .size = 4096, .data = user_address(page.data())};
    return call(uapi::VMM_SET_APIC, argument, "setting a vCPU's APIC");
}

Status DevVmm::inject(unsigned index, abi::InjectKind kind, std::uint32_t vector,
                      std::uint32_t error_code) {
    uapi::VmmInject argument{.index = index,
                             .kind = static_cast<std::uint32_t>(kind),
                             .vector = vector,
                             .error_code = error_code};
    return call(uapi::VMM_INJECT, argument, "injecting an event");
}

}  // namespace skep::guestdev
