#include <kernel/vfs/tmpfs/tmpfs.hpp>

#include <kernel/base/make.hpp>
#include <kernel/sched/clock.hpp>

#include <algorithm>

namespace skep::kernel {

namespace {
constexpr std::size_t kFirstBuckets = 64;
constexpr std::size_t kEntriesPerBucket = 2;
}  // namespace

Result<Ref<Tmpfs>> Tmpfs::create(const char* type, std::uint32_t permissions) {
    Ref<Tmpfs> tmpfs = SKEP_TRY(make_ref<Tmpfs>(type));
    SKEP_TRY(tmpfs->buckets_.resize(kFirstBuckets));
    const NewFile directory{.type = VnodeType::Directory, .permissions = permissions};
    tmpfs->root_ = SKEP_TRY(make_ref<TmpfsVnode>(*tmpfs, directory));
    return tmpfs;
}

Result<Ref<Vnode>> Tmpfs::create_unnamed(const NewFile& what) {
    Ref<TmpfsVnode> vnode = SKEP_TRY(make_ref<TmpfsVnode>(*this, what));
    SKEP_TRY(vnode->prepare(what));
    vnode->attributes_.links = 0;
    return Ref<Vnode>(std::move(vnode));
}

Ref<Vnode> Tmpfs::root() {
    SpinGuard guard(root_lock_);
    return root_;
}

Result<> Tmpfs::stat(FileSystemStat& stat) {
    const MemoryUse use = memory_use();
    stat.type = type_;
    stat.id = id();
    stat.blocks = use.free_frames + pages_.load();
    stat.free_blocks = use.free_frames;
    stat.files = stat.blocks;
    stat.free_files = stat.blocks - std::min(stat.blocks, files_.load());
    return {};
}

void Tmpfs::on_unmount() {
    Ref<TmpfsVnode> root;
    {
        SpinGuard guard(root_lock_);
        std::swap(root, root_);
    }
    // Depth first without recursion; each step removes an entry or moves towards one.
    Ref<TmpfsVnode> at = root;
    for (;;) {
        Ref<TmpfsVnode> removed;
        MutexGuard guard(namespace_);
        if (TmpfsEntry* entry = at->entries_.front()) {
            if (entry->vnode->is_directory() && !entry->vnode->entries_.empty())
                at = entry->vnode;
            else
                removed = remove(*entry);
        } else if (at == root) {
            break;
        } else {
            at = at->parent_;
        }
        guard.unlock();
    }
}

std::size_t Tmpfs::bucket(const TmpfsVnode& directory, std::string_view name) const {
    std::uint64_t hash = reinterpret_cast<std::uintptr_t>(&directory) >> 4;
    for (char c : name)
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;  // FNV-1a's prime
    return (hash ^ hash >> 32) & (buckets_.size() - 1);
}

TmpfsEntry* Tmpfs::find(const TmpfsVnode& directory, std::string_view name) {
    for (TmpfsEntry* entry = buckets_[bucket(directory, name)]; entry;
         entry = entry->next_in_bucket)
        if (entry->directory == &directory && entry->name.view() == name)
            return entry;
    return nullptr;
}

Result<TmpfsEntry*> Tmpfs::add(TmpfsVnode& directory, std::string_view name,
                               Ref<TmpfsVnode> vnode) {
    if (files_.load() > buckets_.size() * kEntriesPerBucket) {
        Vector<TmpfsEntry*> larger;
        if (larger.resize(buckets_.size() * 4)) {  // else: slower, not wrong
            larger.swap(buckets_);
            for (TmpfsEntry* entry : larger)
                while (entry) {
                    TmpfsEntry* next = entry->next_in_bucket;
                    TmpfsEntry*& head = buckets_[bucket(*entry->directory, entry->name.view())];
                    entry->next_in_bucket = head;
                    head = entry;
                    entry = next;
                }
        }
    }
    Owned<TmpfsEntry> entry = SKEP_TRY(make_owned<TmpfsEntry>());
    entry->name = SKEP_TRY(Text::copy(name));
    entry->directory = &directory;
    entry->position = directory.next_position_++;
    entry->vnode = std::move(vnode);
    TmpfsEntry*& head = buckets_[bucket(directory, name)];
    entry->next_in_bucket = head;
    head = entry.get();
    directory.entries_.push_back(*entry);
    if (!entry->vnode->entry_)
        entry->vnode->entry_ = entry.get();
    files_.fetch_add(1);
    return entry.leak();
}

Ref<TmpfsVnode> Tmpfs::remove(TmpfsEntry& entry) {
    TmpfsEntry** link = &buckets_[bucket(*entry.directory, entry.name.view())];
    while (*link != &entry)
        link = &(*link)->next_in_bucket;
    *link = entry.next_in_bucket;
    List<TmpfsEntry>::remove(entry);
    files_.fetch_sub(1);
    Ref<TmpfsVnode> vnode = std::move(entry.vnode);
    if (vnode->entry_ == &entry)
        vnode->entry_ = nullptr;
    delete &entry;
    return vnode;
}

}  // namespace skep::kernel
