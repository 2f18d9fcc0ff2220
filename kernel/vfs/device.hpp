// devfs: the tree of device nodes that drivers fill, mounted on /dev. A node made elsewhere with
// mknod leads to the same device by its number.
#pragma once

#include <kernel/base/ref.hpp>
#include <kernel/vfs/file_system.hpp>
#include <kernel/vfs/stat.hpp>

#include <string_view>

namespace skep::kernel {

class File;

class Device : public RefCounted {
  public:
    // `flags` as in File. The open node becomes the file's vnode, which answers stat.
    virtual Result<Ref<File>> open(std::uint32_t flags) = 0;
};

struct DeviceNode {
    std::string_view name;  // below /dev, "vmm/NAME" makes the directory
    VnodeType type = VnodeType::CharDevice;
    std::uint32_t permissions = 0600, user = 0, group = 0;
    std::uint64_t number = 0;  // 0: a free one of a major of our own
};

// May be called from boot on (after init_devfs()), by drivers and by processes' ioctls. Exist,
// NoMem.
Result<> register_device(const DeviceNode&, Ref<Device>);
// Open files live on. NoEnt.
Result<> unregister_device(std::string_view name);
// NxIo: no such device.
Result<Ref<Device>> find_device(VnodeType, std::uint64_t number);
// The name below /dev under which the device was registered first. NxIo.
Result<Text> device_name(VnodeType, std::uint64_t number);
Result<> add_device_link(std::string_view name, std::string_view target);

// Makes devfs with null, zero, full, random, urandom and the usual links.
Result<Ref<FileSystem>> init_devfs();
Ref<FileSystem> devfs();

}  // namespace skep::kernel
