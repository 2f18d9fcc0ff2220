#include <kernel/boot/devices.hpp>

#include <kernel/base/log.hpp>
#include <kernel/boot/multiboot2.hpp>
#include <kernel/dev/pci/bus.hpp>
#include <kernel/dev/tty/console.hpp>
#include <kernel/dev/vmm/vmm.hpp>
#include <kernel/ipc/unix_socket.hpp>
#include <kernel/net/stack.hpp>
#include <kernel/vfs/device.hpp>
#include <kernel/vfs/file_system.hpp>
#include <kernel/vfs/procfs/procfs.hpp>
#include <kernel/vfs/tmpfs/archive.hpp>
#include <kernel/vfs/tmpfs/tmpfs.hpp>

namespace skep::kernel {

namespace {

template <typename T>
T must(Result<T> result, const char* what) {
    if (!result)
        panic("{}: error {}", what, static_cast<unsigned>(result.error()));
    if constexpr (!std::is_void_v<T>)
        return std::move(*result);
}

// The directory `name` of the root, made if need be.
Ref<Vnode> root_directory(std::string_view name) {
    const Ref<Vnode> root = mounts().root();
    if (auto found = root->lookup(name))
        return *found;
    return must(root->create(name, {.type = VnodeType::Directory, .permissions = 0755}),
                "directory");
}

}  // namespace

void start_devices() {
    initialize_network();
    pci::initialize();
}

void mount_root() {
    auto root = must(Tmpfs::create(), "root file system");
    if (const BootModule* archive = boot_information.module("root")) {
        const std::size_t size = archive->end.value - archive->start.value;
        must(unpack_archive(*root,
                            {static_cast<const std::byte*>(direct_map(archive->start)), size}),
             "root archive");
    } else {
        log("no module \"root\": the root file system is empty");
    }
    must(mounts().mount(root, nullptr, "root"), "mount of the root file system");
    must(mounts().mount(must(init_devfs(), "devfs"), root_directory("dev"), "devfs"),
         "mount of /dev");
    must(init_console(boot_information.framebuffer), "console");
    initialize_vmm();
    must(mounts().mount(must(create_procfs(), "procfs"), root_directory("proc"), "proc"),
         "mount of /proc");
    if (auto tmp =
            root->root()->create("tmp", {.type = VnodeType::Directory, .permissions = 01777});
        !tmp && tmp.error() != Errno::Exist)
        must(std::move(tmp), "/tmp");
    init_unix_sockets();
}

}  // namespace skep::kernel
