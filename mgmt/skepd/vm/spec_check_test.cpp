#include "mgmt/skepd/vm/spec_check.hpp"

#include <gtest/gtest.h>

namespace skep::mgmt {
namespace {

using skep::vm::v1::MachineSpec;

Result<std::uint64_t> size_of(const std::string& id) {
    if (id == "vmlinuz" || id == "disk")
        return 1000;
    return fail(Error(Code::NotFound, "NOT_FOUND", "there is no images/" + id));
}

MachineSpec good() {
    MachineSpec spec;
    spec.mutable_boot()->set_kernel("vmlinuz");
    return spec;
}

std::string field_at_fault(const MachineSpec& spec) {
    auto checked = checked_spec(spec, size_of);
    return checked ? "none" : checked.error().field;
}

TEST(SpecCheck, AsksForNoMoreThanTheMachineHas) {
    auto spec = good();
    spec.set_vcpus(8);
    spec.set_memory_bytes(1 << 30);
    EXPECT_TRUE(check_fits(spec, {}));
    EXPECT_TRUE(check_fits(spec, {.vcpus = 8, .memory_bytes = 1 << 30}));
    EXPECT_EQ(check_fits(spec, {.vcpus = 4}).error().message,
              "vm.spec.vcpus: 8 vCPUs, a guest of this machine can have 4");
    EXPECT_EQ(check_fits(spec, {.memory_bytes = 512 << 20}).error().message,
              "vm.spec.memory_bytes: 1024 MiB, this machine has 512 MiB");
}

TEST(SpecCheck, FillsInWhatIsOpen) {
    auto spec = good();
    spec.add_disks()->set_image("images/disk");
    spec.add_disks()->set_size_bytes(4096);
    auto checked = checked_spec(spec, size_of);
    ASSERT_TRUE(checked) << checked.error().message;
    EXPECT_EQ(checked->vcpus(), 1u);
    EXPECT_EQ(checked->memory_bytes(), 256u << 20);
    EXPECT_EQ(checked->boot().kernel(), "images/vmlinuz");
    EXPECT_EQ(checked->disks(0).name(), "disk0");
    EXPECT_EQ(checked->disks(0).size_bytes(), 1024u);
    EXPECT_EQ(checked->disks(1).name(), "disk1");
}

TEST(SpecCheck, NamesTheFieldAtFault) {
    auto spec = good();
    EXPECT_EQ(field_at_fault(spec), "none");
    spec.set_vcpus(65);
    EXPECT_EQ(field_at_fault(spec), "vm.spec.vcpus");
    spec = good();
    spec.set_memory_bytes((2 << 20) + 4096);
    EXPECT_EQ(field_at_fault(spec), "vm.spec.memory_bytes");
    spec = good();
    spec.mutable_boot()->clear_kernel();
    EXPECT_EQ(field_at_fault(spec), "vm.spec.boot.kernel");
    spec = good();
    spec.mutable_boot()->set_initrd("missing");
    EXPECT_EQ(field_at_fault(spec), "vm.spec.boot.initrd");
    spec = good();
    spec.mutable_boot()->set_kernel("vms/a");
    EXPECT_EQ(field_at_fault(spec), "vm.spec.boot.kernel");
    spec = good();
    spec.mutable_boot()->set_command_line(std::string(2048, 'x'));
    EXPECT_EQ(field_at_fault(spec), "vm.spec.boot.command_line");
    spec = good();
    spec.add_nics();
    EXPECT_EQ(field_at_fault(spec), "vm.spec.nics");
}

TEST(SpecCheck, DisksMustMakeSense) {
    auto with_disk = [](const std::string& name, std::uint64_t size, const std::string& image) {
        auto spec = good();
        auto& disk = *spec.add_disks();
        disk.set_name(name);
        disk.set_size_bytes(size);
        disk.set_image(image);
        return spec;
    };
    EXPECT_EQ(field_at_fault(with_disk("a", 512, "")), "none");
    EXPECT_EQ(field_at_fault(with_disk("../a", 512, "")), "vm.spec.disks[0].name");
    EXPECT_EQ(field_at_fault(with_disk("this-name-is-too-long", 512, "")), "vm.spec.disks[0].name");
    EXPECT_EQ(field_at_fault(with_disk("a", 0, "")), "vm.spec.disks[0].size_bytes");
    EXPECT_EQ(field_at_fault(with_disk("a", 513, "")), "vm.spec.disks[0].size_bytes");
    EXPECT_EQ(field_at_fault(with_disk("a", 512, "disk")), "vm.spec.disks[0].size_bytes");
    auto twice = with_disk("a", 512, "");
    *twice.add_disks() = twice.disks(0);
    EXPECT_EQ(field_at_fault(twice), "vm.spec.disks[1].name");
}

}  // namespace
}  // namespace skep::mgmt
