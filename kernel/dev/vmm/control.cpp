// /dev/vmmctl: guests by name.
#include <kernel/dev/vmm/vmm.hpp>

#include <kernel/base/log.hpp>
#include <kernel/dev/vmm/cpuid.hpp>
#include <kernel/dev/vmm/vm_file.hpp>

#include <algorithm>
#include <cstring>
#include <new>

namespace skep::kernel {

namespace vmm {

namespace {

constexpr std::string_view kNodePrefix = "vmm/";
constexpr std::uint32_t kNodePermissions = 0600;

struct Guest : ListNode<> {
    char node[kNodePrefix.size() + uapi::kVmNameMax];  // "vmm/NAME"
    Ref<Vm> vm;
    const char* name() const { return node + kNodePrefix.size(); }
};

Mutex guests_lock{"vmm guests"};
List<Guest> guests;

Guest* find(const char* name) {
    for (Guest& guest : guests) {
        if (std::strcmp(guest.name(), name) == 0)
            return &guest;
    }
    return nullptr;
}

bool valid_name(const char (&name)[uapi::kVmNameMax]) {
    const std::size_t length = strnlen(name, sizeof name);
    return length > 0 && length < sizeof name && std::all_of(name, name + length, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
           });
}

Result<> create(UserAddr argument) {
    const auto request = SKEP_TRY(copy_in<uapi::VmmCreate>(argument));
    if (!valid_name(request.name))
        return fail(Errno::Inval);
    const MutexGuard guard(guests_lock);
    if (find(request.name))
        return fail(Errno::Exist);
    auto vm = SKEP_TRY(Vm::create());
    std::unique_ptr<Guest> guest(new (std::nothrow) Guest);
    auto device = Ref<VmDevice>::adopt(new (std::nothrow) VmDevice(vm));
    if (!guest || !device)
        return fail(Errno::NoMem);
    std::memcpy(guest->node, kNodePrefix.data(), kNodePrefix.size());
    std::memcpy(guest->node + kNodePrefix.size(), request.name, sizeof request.name);
    guest->vm = std::move(vm);
    SKEP_TRY(
        register_device({.name = guest->node, .permissions = kNodePermissions}, std::move(device)));
    guests.push_back(*guest.release());
    return {};
}

Result<> destroy(UserAddr argument) {
    const auto request = SKEP_TRY(copy_in<uapi::VmmDestroy>(argument));
    if (!valid_name(request.name))
        return fail(Errno::Inval);
    std::unique_ptr<Guest> guest;
    {
        const MutexGuard guard(guests_lock);
        guest.reset(find(request.name));
        if (!guest)
            return fail(Errno::NoEnt);
        List<Guest>::remove(*guest);
        (void)unregister_device(guest->node);
    }
    // Its memory comes back when the last open node and mapping are gone.
    guest->vm->retire();
    return {};
}

class ControlFile final : public File {
  public:
    explicit ControlFile(std::uint32_t flags) : File(FileKind::Device, flags) {}
    Result<std::uint64_t> ioctl(std::uint64_t request, UserAddr argument) override {
        const Result<> done = request == uapi::VMMCTL_CREATE    ? create(argument)
                              : request == uapi::VMMCTL_DESTROY ? destroy(argument)
                                                                : host_ioctl(request, argument);
        if (!done)
            return fail(done.error());
        return 0;
    }
    const char* description() const override { return "vmmctl"; }
};

class ControlDevice final : public Device {
  public:
    Result<Ref<File>> open(std::uint32_t flags) override {
        auto* file = new (std::nothrow) ControlFile(flags);
        if (!file)
            return fail(Errno::NoMem);
        return Ref<File>::adopt(file);
    }
};

}  // namespace

Result<> host_ioctl(std::uint64_t request, UserAddr argument) {
    if (request == uapi::VMM_HOST_INFO) {
        uapi::VmmHostInfo info{};
        info.host = host_info();
        info.tsc_frequency = tsc_frequency();
        return copy_out(argument, info);
    }
    if (request == uapi::VMM_SUPPORTED_CPUID)
        return copy_supported_cpuid(argument);
    return fail(Errno::NoTty);
}

}  // namespace vmm

void initialize_vmm() {
    if (!under_hv())
        return;
    auto device = Ref<Device>::adopt(new (std::nothrow) vmm::ControlDevice);
    const Result<> registered =
        device ? register_device({.name = "vmmctl", .permissions = vmm::kNodePermissions},
                                 std::move(device))
               : fail(Errno::NoMem);
    if (!registered)
        log("vmm: no /dev/vmmctl, error {}", registered.error());
}

}  // namespace skep::kernel
