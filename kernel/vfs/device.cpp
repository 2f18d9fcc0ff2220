#include <kernel/vfs/device.hpp>

#include <kernel/base/list.hpp>
#include <kernel/base/make.hpp>
#include <kernel/dev/memory_devices.hpp>
#include <kernel/vfs/tmpfs/tmpfs.hpp>

namespace skep::kernel {

namespace {

struct Registered : ListNode<> {
    Text name;
    VnodeType type = VnodeType::CharDevice;
    std::uint64_t number = 0;
    Ref<Device> device;
};

constexpr std::uint32_t kOwnMajor = 240;  // Linux leaves 240..254 to local use

struct Registry {
    Mutex lock{"devices"};  // before tmpfs's locks
    List<Registered> devices;
    std::uint32_t next_minor = 1;
    Ref<Tmpfs> tree;
};

Registry& registry() {
    static Registry* made = new (std::nothrow) Registry;
    return *made;
}

// The directory that is to have the last component of `name`; missing ones are made.
Result<Ref<Vnode>> directory_of(std::string_view& name) {
    Ref<Vnode> at = registry().tree->root();
    for (std::size_t slash; (slash = name.find('/')) != std::string_view::npos;
         name.remove_prefix(slash + 1)) {
        const std::string_view component = name.substr(0, slash);
        auto found = at->lookup(component);
        if (!found && found.error() == Errno::NoEnt)
            found = at->create(component, {.type = VnodeType::Directory, .permissions = 0755});
        at = SKEP_TRY(std::move(found));
    }
    if (name.empty() || name == "." || name == ".." || name.size() > 255)
        return fail(Errno::Inval);
    return at;
}

}  // namespace

Ref<FileSystem> devfs() {
    return registry().tree;
}

Result<> register_device(const DeviceNode& node, Ref<Device> device) {
    Registry& all = registry();
    Owned<Registered> entry = SKEP_TRY(make_owned<Registered>());
    entry->name = SKEP_TRY(Text::copy(node.name));
    entry->type = node.type;
    entry->device = std::move(device);
    MutexGuard guard(all.lock);
    entry->number = node.number ? node.number : device_number(kOwnMajor, all.next_minor++);
    std::string_view name = node.name;
    Ref<Vnode> directory = SKEP_TRY(directory_of(name));
    SKEP_TRY(directory->create(name, {.type = node.type,
                                      .permissions = node.permissions,
                                      .user = node.user,
                                      .group = node.group,
                                      .device_number = entry->number}));
    all.devices.push_back(*entry.leak());
    return {};
}

Result<> unregister_device(std::string_view name) {
    Registry& all = registry();
    Owned<Registered> gone;
    MutexGuard guard(all.lock);
    for (Registered& entry : all.devices) {
        if (entry.name.view() != name)
            continue;
        List<Registered>::remove(entry);
        gone.reset(&entry);
        Ref<Vnode> directory = SKEP_TRY(directory_of(name));
        (void)directory->unlink(name);  // an administrator may have removed it
        guard.unlock();
        return {};
    }
    return fail(Errno::NoEnt);
}

Result<Ref<Device>> find_device(VnodeType type, std::uint64_t number) {
    Registry& all = registry();
    MutexGuard guard(all.lock);
    for (Registered& entry : all.devices)
        if (entry.type == type && entry.number == number)
            return entry.device;
    return fail(Errno::NxIo);
}

Result<Text> device_name(VnodeType type, std::uint64_t number) {
    Registry& all = registry();
    MutexGuard guard(all.lock);
    for (const Registered& entry : all.devices)
        if (entry.type == type && entry.number == number)
            return Text::copy(entry.name.view());
    return fail(Errno::NxIo);
}

Result<> add_device_link(std::string_view name, std::string_view target) {
    MutexGuard guard(registry().lock);
    Ref<Vnode> directory = SKEP_TRY(directory_of(name));
    SKEP_TRY(directory->create(
        name, {.type = VnodeType::Symlink, .permissions = 0777, .target = target}));
    return {};
}

Result<Ref<FileSystem>> init_devfs() {
    registry().tree = SKEP_TRY(Tmpfs::create("devtmpfs"));
    SKEP_TRY(register_memory_devices());
    SKEP_TRY(add_device_link("fd", "/proc/self/fd"));
    SKEP_TRY(add_device_link("stdin", "/proc/self/fd/0"));
    SKEP_TRY(add_device_link("stdout", "/proc/self/fd/1"));
    SKEP_TRY(add_device_link("stderr", "/proc/self/fd/2"));
    SKEP_TRY(registry().tree->root()->create("shm",
                                             {.type = VnodeType::Directory, .permissions = 01777}));
    return devfs();
}

}  // namespace skep::kernel
