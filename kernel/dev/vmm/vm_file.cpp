#include <kernel/dev/vmm/vm_file.hpp>

#include <algorithm>
#include <new>

namespace skep::kernel::vmm {

namespace {

using abi::Hypercall;

constexpr std::uint64_t kDirtyLogStep = 128 * 1024 * 1024;  // what one hypercall takes

// A vCPU that nobody runs.
class HeldVcpu {
  public:
    explicit HeldVcpu(Vcpu& vcpu) : hold_(vcpu) {}
    Result<> check() const { return hold_ ? Result<>{} : fail(Errno::Busy); }

  private:
    Vcpu::Hold hold_;
};

}  // namespace

Result<Ref<File>> VmDevice::open(std::uint32_t flags) {
    if (vm_->retired())
        return fail(Errno::NoEnt);
    auto* file = new (std::nothrow) VmFile(Ref<VmDevice>(this), vm_, flags);
    if (!file)
        return fail(Errno::NoMem);
    open_.fetch_add(1);
    return Ref<File>::adopt(file);
}

void VmDevice::closed() {
    if (open_.fetch_sub(1) == 1)
        vm_->kick_all();
}

Result<> VmFile::transfer_fields(UserAddr argument, Hypercall call) {
    const auto request = SKEP_TRY(copy_in<uapi::VmmFields>(argument));
    const std::size_t size = request.count * sizeof(abi::FieldValue);
    if (request.count == 0 || size > kPageSize)
        return fail(Errno::Inval);
    const HeldVcpu vcpu(*SKEP_TRY(vm_->vcpu(request.index)));
    SKEP_TRY(vcpu.check());
    const HvBuffer buffer = SKEP_TRY(HvBuffer::create());
    SKEP_TRY(copy_in(buffer.data(), request.fields, size));
    SKEP_TRY(hv_call(call, vm_->id(), request.index, buffer.address(), request.count));
    return call == Hypercall::VcpuGetFields ? copy_out(request.fields, buffer.data(), size)
                                            : Result<>{};
}

Result<> VmFile::get_blob(UserAddr argument, Hypercall call, bool sized) {
    auto request = SKEP_TRY(copy_in<uapi::VmmBlob>(argument));
    if (request.size == 0 || (!sized && request.size < kPageSize))
        return fail(Errno::Inval);
    const HeldVcpu vcpu(*SKEP_TRY(vm_->vcpu(request.index)));
    SKEP_TRY(vcpu.check());
    const HvBuffer buffer = SKEP_TRY(HvBuffer::create());
    const auto used = SKEP_TRY(hv_call(call, vm_->id(), request.index, buffer.address(),
                                       std::min<std::uint64_t>(request.size, kPageSize)));
    request.size =
        sized ? static_cast<std::uint32_t>(std::min<std::uint64_t>(used, kPageSize)) : kPageSize;
    SKEP_TRY(copy_out(request.data, buffer.data(), request.size));
    return copy_out(argument, request);
}

Result<> VmFile::set_blob(UserAddr argument, Hypercall call, bool sized) {
    const auto request = SKEP_TRY(copy_in<uapi::VmmBlob>(argument));
    if (request.size == 0 || request.size > kPageSize || (!sized && request.size != kPageSize))
        return fail(Errno::Inval);
    const HeldVcpu vcpu(*SKEP_TRY(vm_->vcpu(request.index)));
    SKEP_TRY(vcpu.check());
    const HvBuffer buffer = SKEP_TRY(HvBuffer::create());
    SKEP_TRY(copy_in(buffer.data(), request.data, request.size));
    SKEP_TRY(hv_call(call, vm_->id(), request.index, buffer.address(), request.size));
    return {};
}

Result<> VmFile::set_cpuid(UserAddr argument) {
    const auto request = SKEP_TRY(copy_in<uapi::VmmCpuid>(argument));
    const std::size_t size = request.count * sizeof(abi::CpuidEntry);
    if (request.count == 0 || size > kPageSize)
        return fail(Errno::Inval);
    const HvBuffer buffer = SKEP_TRY(HvBuffer::create());
    SKEP_TRY(copy_in(buffer.data(), request.entries, size));
    SKEP_TRY(hv_call(Hypercall::VmSetCpuid, vm_->id(), buffer.address(), request.count));
    return {};
}

Result<> VmFile::dirty_log(UserAddr argument) {
    const auto request = SKEP_TRY(copy_in<uapi::VmmDirtyLog>(argument));
    const auto op = static_cast<abi::DirtyLogOp>(request.op);
    const bool harvest = op == abi::DirtyLogOp::Harvest;
    if (!harvest && op != abi::DirtyLogOp::Start && op != abi::DirtyLogOp::Stop)
        return fail(Errno::Inval);
    if (request.size == 0 || (request.gpa | request.size) % kPageSize ||
        request.gpa + request.size < request.gpa)
        return fail(Errno::Inval);
    const HvBuffer buffer = SKEP_TRY(HvBuffer::create());
    // hv splits large pages as they are written; without a table it takes all of one for written.
    if (op == abi::DirtyLogOp::Start)
        give_hv_memory_for(std::min(request.size, vm_->memory().ram_size()));
    for (std::uint64_t done = 0; done < request.size;) {
        const std::uint64_t step = std::min(request.size - done, kDirtyLogStep);
        SKEP_TRY(hv_call(Hypercall::VmDirtyLog, vm_->id(), request.gpa + done, step, request.op,
                         buffer.address()));
        if (harvest)
            SKEP_TRY(copy_out(request.bitmap + done / kPageSize / 8, buffer.data(),
                              (step / kPageSize + 7) / 8));
        done += step;
    }
    return {};
}

Result<> VmFile::inject(UserAddr argument) {
    const auto request = SKEP_TRY(copy_in<uapi::VmmInject>(argument));
    Vcpu& vcpu = *SKEP_TRY(vm_->vcpu(request.index));
    {
        const HeldVcpu held(vcpu);
        SKEP_TRY(held.check());
        SKEP_TRY(hv_call(Hypercall::VcpuInject, vm_->id(), request.index, request.kind,
                         request.vector, request.error_code));
    }
    vcpu.wake();
    return {};
}

Result<std::uint64_t> VmFile::ioctl(std::uint64_t request, UserAddr argument) {
    if (vm_->retired())
        return fail(Errno::NoEnt);
    const auto done = [&]() -> Result<> {
        switch (request) {
            // First, as the frequent ones.
            case uapi::VMM_VCPU_RUN:
                return (*SKEP_TRY(vm_->vcpu(SKEP_TRY(copy_in<uapi::VmmVcpu>(argument)).index)))
                    .run();
            case uapi::VMM_MSI: {
                const auto msi = SKEP_TRY(copy_in<uapi::VmmMsi>(argument));
                return vm_->send_msi(msi.address, msi.data);
            }
            case uapi::VMM_VCPU_KICK:
                (*SKEP_TRY(vm_->vcpu(SKEP_TRY(copy_in<uapi::VmmVcpu>(argument)).index))).kick();
                return {};
            case uapi::VMM_INJECT:
                return inject(argument);
            case uapi::VMM_MEM_ADD: {
                const auto memory = SKEP_TRY(copy_in<uapi::VmmMemAdd>(argument));
                return vm_->add_memory(memory.gpa, memory.size);
            }
            case uapi::VMM_VCPU_CREATE:
                return vm_->create_vcpu(SKEP_TRY(copy_in<uapi::VmmVcpu>(argument)).index);
            case uapi::VMM_SET_CPUID:
                return set_cpuid(argument);
            case uapi::VMM_DIRTY_LOG:
                return dirty_log(argument);
            case uapi::VMM_GET_FIELDS:
                return transfer_fields(argument, Hypercall::VcpuGetFields);
            case uapi::VMM_SET_FIELDS:
                return transfer_fields(argument, Hypercall::VcpuSetFields);
            case uapi::VMM_GET_XSAVE:
                return get_blob(argument, Hypercall::VcpuGetXsave, true);
            case uapi::VMM_SET_XSAVE:
                return set_blob(argument, Hypercall::VcpuSetXsave, true);
            case uapi::VMM_GET_APIC:
                return get_blob(argument, Hypercall::VcpuGetApic, false);
            case uapi::VMM_SET_APIC:
                return set_blob(argument, Hypercall::VcpuSetApic, false);
            default:
                return host_ioctl(request, argument);
        }
    }();
    if (!done)
        return fail(done.error());
    return 0;
}

Result<Ref<VmObject>> VmFile::mmap(const MmapRequest& request, std::uint64_t* object_offset) {
    // A private copy of a guest's memory makes no sense.
    if (!request.shared || !vm_->memory().covers(request.offset, request.size))
        return fail(Errno::Inval);
    *object_offset = request.offset;
    return Ref<VmObject>(vm_->memory_reference());
}

}  // namespace skep::kernel::vmm
