#include <kernel/abi/freebsd/shared_page.hpp>

#include <kernel/base/make.hpp>
#include <kernel/mm/vm_object.hpp>

#include <cstring>

namespace skep::kernel::freebsd_abi {

namespace {

// Entered with RSP at a SignalFrame: calls its handler, then sigreturn(&frame.context).
constexpr std::uint8_t kTrampoline[] = {
    0xff, 0x14, 0x24,                          // call *(%rsp)
    0x48, 0x8d, 0x7c, 0x24, 0x10,              // lea 16(%rsp), %rdi
    0x6a, 0x00,                                // push $0: where a return address would be
    0x48, 0xc7, 0xc0, 0xa1, 0x01, 0x00, 0x00,  // mov $417, %rax
    0x0f, 0x05,                                // syscall
    0x0f, 0x0b,                                // ud2: it does not return
};
static_assert(sizeof kTrampoline <= kTrampolineSize);
constexpr std::uint64_t kPageSizes[] = {kPageSize, kLargePageSize};
static_assert(sizeof kPageSizes == kPageSizesLength);

class SharedPage final : public VmObject {
  public:
    explicit SharedPage(PhysAddr frame) : frame_(frame) {}
    Result<ObjectPage> page(std::uint64_t index, bool write) override {
        if (index != 0 || write)
            return fail(Errno::Fault);
        return ObjectPage{.frame = frame_, .counted = false};
    }

  private:
    PhysAddr frame_;
};

Ref<VmObject>* shared_page;

}  // namespace

Result<> init_shared_page() {
    const PhysAddr frame = SKEP_TRY(allocate_frames(0));
    auto* page = static_cast<std::byte*>(direct_map(frame));
    std::memset(page, 0, kPageSize);
    std::memcpy(page, kTrampoline, sizeof kTrampoline);
    std::memcpy(page + (kSharedPageSizes - kSharedPageAddress), kPageSizes, sizeof kPageSizes);
    shared_page = new (std::nothrow) Ref<VmObject>(SKEP_TRY(make_ref<SharedPage>(frame)));
    if (!shared_page)
        return fail(Errno::NoMem);
    return {};
}

Result<> map_shared_page(VmMap& map) {
    constexpr std::uint32_t kProtection = kProtRead | kProtExecute;
    SKEP_TRY(map.map({.address = kSharedPageAddress,
                      .size = kPageSize,
                      .protection = kProtection,
                      .max_protection = kProtection,
                      .shared = true,
                      .fixed = true,
                      .object = *shared_page}));
    return {};
}

}  // namespace skep::kernel::freebsd_abi
