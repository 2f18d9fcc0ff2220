#include <kernel/dev/vmm/vm.hpp>

#include <kernel/include/uapi/skep/vmm.h>
#include <kernel/base/log.hpp>
#include <kernel/sched/thread.hpp>

#include <new>

namespace skep::kernel::vmm {

namespace {

using abi::Hypercall;

constexpr std::uint32_t kAllAccess = abi::kRead | abi::kWrite | abi::kExecute;

}  // namespace

Result<Ref<Vm>> Vm::create() {
    auto memory = Ref<GuestMemory>::adopt(new (std::nothrow) GuestMemory);
    if (!memory)
        return fail(Errno::NoMem);
    const std::uint64_t id = SKEP_TRY(hv_call(Hypercall::VmCreate));
    auto vm = Ref<Vm>::adopt(new (std::nothrow) Vm(id, std::move(memory)));
    if (!vm) {
        (void)hv_call(Hypercall::VmDestroy, id);
        return fail(Errno::NoMem);
    }
    return vm;
}

// Nothing runs any more: whoever ran a vCPU held a reference.
Vm::~Vm() {
    Result<std::uint64_t> destroyed = hv_call(Hypercall::VmDestroy, id_);
    while (!destroyed && destroyed.error() == Errno::Busy) {
        yield();
        destroyed = hv_call(Hypercall::VmDestroy, id_);
    }
    if (!destroyed) {
        // hv may still let the guest at its memory: better lost than given to somebody else.
        log("vmm: hv did not destroy VM {}, error {}; its memory is lost", id_, destroyed.error());
        (void)memory_.leak();
    }
    take_back_hv_memory();
    for (auto& vcpu : vcpus_)
        delete vcpu.load();
}

Result<> Vm::map(const MemorySlot& slot) {
    // Frames that follow each other are one mapping, so that hv may use larger pages.
    const auto frames = slot.frames();
    for (std::size_t first = 0; first < frames.size();) {
        std::size_t end = first + 1;
        while (end < frames.size() && frames[end] == frames[end - 1] + kLargePageSize)
            ++end;
        const auto mapped =
            hv_call(Hypercall::VmMap, id_, slot.gpa() + first * kLargePageSize, frames[first].value,
                    (end - first) * kLargePageSize, kAllAccess);
        if (!mapped) {
            if (first > 0)
                (void)hv_call(Hypercall::VmUnmap, id_, slot.gpa(), first * kLargePageSize);
            return fail(mapped.error());
        }
        first = end;
    }
    return {};
}

Result<> Vm::add_memory(std::uint64_t gpa, std::uint64_t size) {
    if (size == 0 || (gpa | size) % kLargePageSize || gpa >= uapi::VMM_PAGE_OFFSET ||
        size > uapi::VMM_PAGE_OFFSET - gpa)
        return fail(Errno::Inval);
    if (size / kPageSize > memory_use().free_frames)
        return fail(Errno::NoMem);
    const MutexGuard guard(setup_);
    MemorySlot* slot = MemorySlot::create(gpa, size);
    if (!slot)
        return fail(Errno::NoMem);
    if (const Result<> mapped = map(*slot); !mapped) {
        delete slot;
        return mapped;
    }
    // hv refuses what overlaps, so this cannot fail.
    if (const Result<> added = memory_->add(slot); !added) {
        (void)hv_call(Hypercall::VmUnmap, id_, gpa, size);
        delete slot;
        return added;
    }
    return {};
}

Result<> Vm::create_vcpu(unsigned index) {
    if (index >= kMaxVcpus)
        return fail(Errno::Inval);
    const MutexGuard guard(setup_);
    if (vcpus_[index].load())
        return fail(Errno::Exist);
    const PhysAddr page = SKEP_TRY(memory_->vcpu_page(index));
    auto* created =
        new (std::nothrow) Vcpu(*this, index, *static_cast<abi::VcpuPage*>(direct_map(page)));
    if (!created)
        return fail(Errno::NoMem);
    if (const auto done = hv_call(Hypercall::VcpuCreate, id_, index, page.value); !done) {
        delete created;
        return fail(done.error());
    }
    vcpus_[index].store(created);
    return {};
}

Result<Vcpu*> Vm::vcpu(std::uint32_t index) {
    Vcpu* found = index < kMaxVcpus ? vcpus_[index].load() : nullptr;
    if (!found)
        return fail(Errno::NoEnt);
    return found;
}

Result<> Vm::send_msi(std::uint64_t address, std::uint32_t data) {
    wake(SKEP_TRY(hv_call(Hypercall::VmSendMsi, id_, address, data)));
    return {};
}

void Vm::wake(std::uint64_t mask) {
    for (; mask; mask &= mask - 1) {
        if (Vcpu* vcpu = vcpus_[static_cast<unsigned>(__builtin_ctzll(mask))].load())
            vcpu->wake();
    }
}

void Vm::retire() {
    retired_.store(true);
    kick_all();
}

void Vm::kick_all() {
    for (auto& vcpu : vcpus_) {
        if (Vcpu* present = vcpu.load())
            present->kick();
    }
}

}  // namespace skep::kernel::vmm
