#include <kernel/vfs/file.hpp>

#include <kernel/mm/vm_object.hpp>
#include <kernel/vfs/record_locks.hpp>
#include <kernel/vfs/vnode.hpp>

namespace skep::kernel {

File::File(FileKind kind, std::uint32_t flags) : kind_(kind), flags_(flags) {}

File::~File() = default;

Result<> File::set_opened_as(Ref<Vnode> directory, std::string_view name) {
    name_ = SKEP_TRY(Text::copy(name));
    directory_ = std::move(directory);
    return {};
}

Result<> File::stat(FileStat& stat) {
    if (!vnode_)
        return fail(Errno::OpNotSupp);
    return vnode_->stat(stat);
}

Result<Ref<VmObject>> File::mmap(const MmapRequest&, std::uint64_t*) {
    return fail(Errno::NoDev);
}

Result<> File::read_directory(DirectorySink&) {
    return fail(Errno::NotDir);
}

void File::descriptor_removed() {
    if (descriptors_.fetch_sub(1, std::memory_order_acq_rel) != 1) {
        on_descriptor_removed();
        return;
    }
    knotes_.close(*this);
    if (vnode_)
        if (RecordLocks* locks = vnode_->record_locks_if_any())
            locks->release_owner(this);  // flock's
    on_last_close();
}

}  // namespace skep::kernel
