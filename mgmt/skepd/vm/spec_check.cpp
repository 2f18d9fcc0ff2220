#include "mgmt/skepd/vm/spec_check.hpp"

#include "mgmt/common/resource_name.hpp"

#include <set>

namespace skep::mgmt {
namespace {

constexpr std::uint64_t kMemoryUnit = 2 << 20;
constexpr std::uint64_t kDefaultMemory = 256ull << 20;
constexpr std::uint64_t kMostMemory = 16ull << 40;
constexpr std::uint64_t kSector = 512;
constexpr std::uint64_t kLargestDisk = 1ull << 50;
constexpr unsigned kMostVcpus = 64;
constexpr int kMostDisks = 16;  // PCI slots of the board
// Linux's COMMAND_LINE_SIZE on x86, with its NUL.
constexpr std::size_t kCommandLineSize = 2048;

Error bad(const std::string& field, const std::string& what) {
    return Error(Code::InvalidArgument, "INVALID_SPEC", field + ": " + what).in_field(field);
}

// -> the image's size; `name` becomes "images/ID".
Result<std::uint64_t> resolve_image(std::string& name, const std::string& field,
                                    const ImageSize& image_size) {
    auto id = parse_name(name, "images", field);
    RETURN_IF_ERROR(id);
    auto size = image_size(*id);
    if (!size) {
        auto error = size.error();
        error.field = field;
        error.hint = "upload it first: skep image upload " + *id + " FILE";
        if (error.code == Code::NotFound)
            error.code = Code::FailedPrecondition;
        return fail(error);
    }
    name = "images/" + *id;
    return *size;
}

Result<void> check_disk(skep::vm::v1::Disk& disk, const std::string& field, int index,
                        const ImageSize& image_size) {
    if (disk.name().empty())
        disk.set_name("disk" + std::to_string(index));
    RETURN_IF_ERROR(parse_id(disk.name(), field + ".name"));
    // The serial number of a virtio-blk device has 20 bytes (virtio 1.2, 5.2.6.1).
    if (disk.name().size() > 20)
        return fail(bad(field + ".name", "'" + disk.name() + "' is longer than 20 characters"));
    if (!disk.image().empty()) {
        auto size = resolve_image(*disk.mutable_image(), field + ".image", image_size);
        RETURN_IF_ERROR(size);
        if (disk.size_bytes() == 0)
            disk.set_size_bytes((*size + kSector - 1) / kSector * kSector);
        if (disk.size_bytes() < *size)
            return fail(bad(field + ".size_bytes", "smaller than " + disk.image() + " (" +
                                                       std::to_string(*size) + " bytes)"));
    }
    if (disk.size_bytes() == 0 || disk.size_bytes() % kSector != 0 ||
        disk.size_bytes() > kLargestDisk)
        return fail(bad(field + ".size_bytes", "must be a multiple of 512 above 0, not " +
                                                   std::to_string(disk.size_bytes())));
    return {};
}

}  // namespace

Result<void> check_fits(const skep::vm::v1::MachineSpec& spec, const HostLimits& limits) {
    if (limits.vcpus != 0 && spec.vcpus() > limits.vcpus)
        return fail(Error(Code::FailedPrecondition, "HOST_TOO_SMALL",
                          "vm.spec.vcpus: " + std::to_string(spec.vcpus()) +
                              " vCPUs, a guest of this machine can have " +
                              std::to_string(limits.vcpus))
                        .in_field("vm.spec.vcpus"));
    if (limits.memory_bytes != 0 && spec.memory_bytes() > limits.memory_bytes)
        return fail(Error(Code::FailedPrecondition, "HOST_TOO_SMALL",
                          "vm.spec.memory_bytes: " + std::to_string(spec.memory_bytes() >> 20) +
                              " MiB, this machine has " +
                              std::to_string(limits.memory_bytes >> 20) + " MiB")
                        .in_field("vm.spec.memory_bytes")
                        .with_hint("'skep host get' shows what it has"));
    return {};
}

Result<skep::vm::v1::MachineSpec> checked_spec(skep::vm::v1::MachineSpec spec,
                                               const ImageSize& image_size) {
    if (spec.vcpus() == 0)
        spec.set_vcpus(1);
    if (spec.vcpus() > kMostVcpus)
        return fail(bad("vm.spec.vcpus", "at most 64, not " + std::to_string(spec.vcpus())));
    if (spec.memory_bytes() == 0)
        spec.set_memory_bytes(kDefaultMemory);
    if (spec.memory_bytes() % kMemoryUnit != 0 || spec.memory_bytes() > kMostMemory)
        return fail(bad("vm.spec.memory_bytes", "must be a multiple of 2 MiB up to 16 TiB, not " +
                                                    std::to_string(spec.memory_bytes())));
    auto& boot = *spec.mutable_boot();
    if (boot.kernel().empty())
        return fail(bad("vm.spec.boot.kernel",
                        "missing: a guest boots from the image of a Linux kernel (bzImage)"));
    RETURN_IF_ERROR(resolve_image(*boot.mutable_kernel(), "vm.spec.boot.kernel", image_size));
    if (!boot.initrd().empty())
        RETURN_IF_ERROR(resolve_image(*boot.mutable_initrd(), "vm.spec.boot.initrd", image_size));
    if (boot.command_line().size() >= kCommandLineSize)
        return fail(bad("vm.spec.boot.command_line", "longer than 2047 bytes"));
    if (spec.disks_size() > kMostDisks)
        return fail(bad("vm.spec.disks", "at most 16, not " + std::to_string(spec.disks_size())));
    std::set<std::string> names;
    for (int i = 0; i < spec.disks_size(); ++i) {
        auto field = "vm.spec.disks[" + std::to_string(i) + "]";
        RETURN_IF_ERROR(check_disk(*spec.mutable_disks(i), field, i, image_size));
        if (!names.insert(spec.disks(i).name()).second)
            return fail(bad(field + ".name", "'" + spec.disks(i).name() + "' is there twice"));
    }
    if (spec.nics_size() > 0)
        return fail(bad("vm.spec.nics", "this version gives guests no network"));
    return spec;
}

}  // namespace skep::mgmt
