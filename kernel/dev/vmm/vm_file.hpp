// An open /dev/vmm/NAME.
#pragma once

#include <kernel/include/uapi/skep/vmm.h>
#include <kernel/dev/vmm/vm.hpp>
#include <kernel/vfs/device.hpp>
#include <kernel/vfs/file.hpp>

namespace skep::kernel::vmm {

class VmDevice final : public Device {
  public:
    explicit VmDevice(Ref<Vm> vm) : vm_(std::move(vm)) {}
    Result<Ref<File>> open(std::uint32_t flags) override;

    void closed();  // by VmFile

  private:
    Ref<Vm> vm_;
    std::atomic<unsigned> open_{0};
};

class VmFile final : public File {
  public:
    VmFile(Ref<VmDevice> device, Ref<Vm> vm, std::uint32_t flags)
        : File(FileKind::Device, flags), device_(std::move(device)), vm_(std::move(vm)) {}
    Result<std::uint64_t> ioctl(std::uint64_t request, UserAddr argument) override;
    Result<Ref<VmObject>> mmap(const MmapRequest&, std::uint64_t* object_offset) override;
    void on_last_close() override { device_->closed(); }
    const char* description() const override { return "vmm"; }

  private:
    Result<> transfer_fields(UserAddr argument, abi::Hypercall call);
    Result<> get_blob(UserAddr argument, abi::Hypercall call, bool sized);
    Result<> set_blob(UserAddr argument, abi::Hypercall call, bool sized);
    Result<> set_cpuid(UserAddr argument);
    Result<> dirty_log(UserAddr argument);
    Result<> inject(UserAddr argument);

    Ref<VmDevice> device_;
    Ref<Vm> vm_;
};

// The ioctls that /dev/vmmctl has too. NoTty: none of them.
Result<> host_ioctl(std::uint64_t request, UserAddr argument);

}  // namespace skep::kernel::vmm
