#include <kernel/vfs/file_system.hpp>

#include <atomic>

namespace skep::kernel {

namespace {
std::atomic<std::uint64_t> next_id{1};
}  // namespace

MountTable& mounts() {
    static MountTable table;
    return table;
}

FileSystem::FileSystem() : id_(next_id.fetch_add(1)) {}

Ref<Vnode> FileSystem::covered() {
    return mounts().covered_by(*this);
}

Result<> MountTable::mount(Ref<FileSystem> file_system, Ref<Vnode> on, std::string_view source) {
    Text text = SKEP_TRY(Text::copy(source));
    SpinGuard guard(lock_);
    if (on && on->mounted_.load())
        return fail(Errno::Busy);
    if (on)
        on->mounted_.store(file_system.get());
    file_system->covered_ = std::move(on);
    file_system->source_ = std::move(text);
    mounted_.push_back(*file_system.leak());  // the list keeps the reference
    return {};
}

Result<> MountTable::unmount(Vnode& root) {
    FileSystem& leaving = root.file_system();
    Ref<Vnode> covered;
    {
        SpinGuard guard(lock_);
        if (!leaving.linked() || !leaving.covered_)
            return fail(Errno::Inval);
        for (FileSystem& other : mounted_)
            if (other.covered_ && &other.covered_->file_system() == &leaving)
                return fail(Errno::Busy);
        List<FileSystem>::remove(leaving);
        covered = std::move(leaving.covered_);
        covered->mounted_.store(nullptr);
    }
    leaving.on_unmount();
    auto last = Ref<FileSystem>::adopt(&leaving);
    return {};
}

Ref<Vnode> MountTable::root() {
    FileSystem* first;
    {
        SpinGuard guard(lock_);
        first = mounted_.front();  // the root file system is never unmounted
    }
    return first ? first->root() : Ref<Vnode>();
}

Ref<FileSystem> MountTable::next(const FileSystem* after) {
    SpinGuard guard(lock_);
    bool found = after == nullptr;
    for (FileSystem& candidate : mounted_) {
        if (found)
            return Ref<FileSystem>(&candidate);
        found = &candidate == after;
    }
    return {};
}

Result<> MountTable::sync_all() {
    Result<> result;
    for (Ref<FileSystem> each = next(nullptr); each; each = next(each.get()))
        if (auto synced = each->sync(); !synced)
            result = synced;
    return result;
}

Ref<Vnode> MountTable::mounted_on(const Vnode& vnode) {
    Ref<FileSystem> file_system;
    {
        SpinGuard guard(lock_);
        file_system = Ref<FileSystem>(vnode.mounted_.load());
    }
    return file_system ? file_system->root() : Ref<Vnode>();
}

Ref<Vnode> MountTable::covered_by(const FileSystem& file_system) {
    SpinGuard guard(lock_);
    return file_system.covered_;
}

}  // namespace skep::kernel
