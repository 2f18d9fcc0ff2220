#include <tests/vmm/guest.hpp>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace skep::vmm_test {

void require(bool condition, const char* text, const char* file, int line) {
    if (condition)
        return;
    std::printf("FAILED %s:%d: %s (errno %d: %s)\n", file, line, text, errno, std::strerror(errno));
    std::fflush(stdout);
    std::_Exit(1);
}

int error_of(int result) {
    return result == -1 ? errno : 0;
}

int Guest::control() {
    static const int kDescriptor = ::open("/dev/vmmctl", O_RDWR | O_CLOEXEC);
    REQUIRE(kDescriptor >= 0);
    return kDescriptor;
}

int Guest::create(const char* name) {
    VmmCreate request{};
    std::memcpy(request.name, name, std::min(std::strlen(name), sizeof request.name));
    return ::ioctl(control(), VMMCTL_CREATE, &request);
}

int Guest::destroy(const char* name) {
    VmmDestroy request{};
    std::memcpy(request.name, name, std::min(std::strlen(name), sizeof request.name));
    return ::ioctl(control(), VMMCTL_DESTROY, &request);
}

Guest::Guest(const char* name, std::uint64_t ram) : name_(name), size_(ram) {
    REQUIRE(create(name) == 0);
    device_ = ::open(("/dev/vmm/" + name_).c_str(), O_RDWR | O_CLOEXEC);
    REQUIRE(device_ >= 0);
    const VmmMemAdd memory{.gpa = 0, .size = ram};
    REQUIRE(::ioctl(device_, VMM_MEM_ADD, &memory) == 0);
    void* const mapped = ::mmap(nullptr, ram, PROT_READ | PROT_WRITE, MAP_SHARED, device_, 0);
    REQUIRE(mapped != MAP_FAILED);
    ram_ = static_cast<std::uint8_t*>(mapped);
    std::array<skep::abi::CpuidEntry, 128> leaves{};
    VmmCpuid cpuid{.count = leaves.size(),
                   .reserved = 0,
                   .entries = reinterpret_cast<std::uint64_t>(leaves.data())};
    REQUIRE(::ioctl(device_, VMM_SUPPORTED_CPUID, &cpuid) == 0);
    REQUIRE(cpuid.count > 5 && cpuid.count <= leaves.size());
    REQUIRE(::ioctl(device_, VMM_SET_CPUID, &cpuid) == 0);
    create_vcpu(0);
}

Guest::~Guest() {
    close_device();
    ::munmap(ram_, size_);
    for (auto* page : pages_) {
        if (page)
            ::munmap(page, 4096);
    }
    (void)destroy(name_.c_str());
}

void Guest::close_device() {
    if (device_ >= 0)
        ::close(device_);
    device_ = -1;
}

void Guest::create_vcpu(unsigned index) {
    const VmmVcpu request{.index = index, .reserved = 0};
    REQUIRE(::ioctl(device_, VMM_VCPU_CREATE, &request) == 0);
    void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, device_,
                              static_cast<off_t>(VMM_PAGE_OFFSET + index * 4096));
    REQUIRE(page != MAP_FAILED);
    pages_[index] = static_cast<skep::abi::VcpuPage*>(page);
}

void Guest::load(std::span<const std::uint8_t> code, std::uint64_t data_base, unsigned vcpu) {
    put(kEntry, code);
    const std::array values{
        FieldValue{Field::CsSelector, 0, 0},     FieldValue{Field::CsBase, 0, 0},
        FieldValue{Field::DsBase, 0, data_base}, FieldValue{Field::Rip, 0, kEntry},
        FieldValue{Field::Rsp, 0, 0x8000},       FieldValue{Field::Rflags, 0, 2},
    };
    const VmmFields fields{vcpu, values.size(), reinterpret_cast<std::uint64_t>(values.data())};
    REQUIRE(::ioctl(device_, VMM_SET_FIELDS, &fields) == 0);
}

void Guest::put(std::uint64_t gpa, std::span<const std::uint8_t> bytes) {
    std::copy(bytes.begin(), bytes.end(), ram_ + gpa);
}

void Guest::set_handler(unsigned vector, std::uint64_t gpa) {
    const std::uint16_t entry[2] = {static_cast<std::uint16_t>(gpa), 0};
    std::memcpy(ram_ + vector * 4, entry, sizeof entry);
}

std::uint64_t Guest::get(Field field, unsigned vcpu) {
    FieldValue value{field, 0, 0};
    const VmmFields fields{vcpu, 1, reinterpret_cast<std::uint64_t>(&value)};
    REQUIRE(::ioctl(device_, VMM_GET_FIELDS, &fields) == 0);
    return value.value;
}

void Guest::set(Field field, std::uint64_t value, unsigned vcpu) {
    const FieldValue entry{field, 0, value};
    const VmmFields fields{vcpu, 1, reinterpret_cast<std::uint64_t>(&entry)};
    REQUIRE(::ioctl(device_, VMM_SET_FIELDS, &fields) == 0);
}

int Guest::run(unsigned vcpu) {
    const VmmVcpu request{.index = vcpu, .reserved = 0};
    return ::ioctl(device_, VMM_VCPU_RUN, &request);
}

int Guest::kick(unsigned vcpu) {
    const VmmVcpu request{.index = vcpu, .reserved = 0};
    return ::ioctl(device_, VMM_VCPU_KICK, &request);
}

int Guest::msi(std::uint32_t data, std::uint32_t destination) {
    const VmmMsi request{.address = 0xfee0'0000 | destination << 12, .data = data, .reserved = 0};
    return ::ioctl(device_, VMM_MSI, &request);
}

void Guest::complete(unsigned vcpu) {
    page(vcpu).rip += page(vcpu).instruction_length;
    page(vcpu).write_back |= skep::abi::kWriteBackRip | skep::abi::kWriteBackGeneral;
}

}  // namespace skep::vmm_test
