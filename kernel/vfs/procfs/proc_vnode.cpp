#include <kernel/vfs/procfs/proc_vnode.hpp>

#include <kernel/base/make.hpp>
#include <kernel/sched/clock.hpp>
#include <kernel/vfs/current.hpp>
#include <kernel/vfs/path.hpp>
#include <kernel/vfs/procfs/procfs.hpp>
#include <kernel/vfs/vnode_file.hpp>

#include <algorithm>

namespace skep::kernel {

namespace {

constexpr ProcEntry kDescriptorLink{.name = "", .type = VnodeType::Symlink};

std::optional<std::uint32_t> number(std::string_view text) {
    if (text.empty() || text.size() > 9 || (text.size() > 1 && text[0] == '0'))
        return std::nullopt;
    std::uint32_t value = 0;
    for (char c : text) {
        if (c < '0' || c > '9')
            return std::nullopt;
        value = value * 10 + static_cast<std::uint32_t>(c - '0');
    }
    return value;
}

// The text of one opening.
class ProcFile final : public File {
  public:
    ProcFile(Ref<Vnode> vnode, std::uint32_t flags, TextBuilder&& text)
        : File(FileKind::Vnode, flags), text_(std::move(text)) {
        set_vnode(std::move(vnode));
    }
    Result<std::size_t> read(Uio& uio, std::uint64_t* offset) override {
        MutexGuard guard(lock_);
        const std::uint64_t at = offset ? *offset : position_;
        const std::string_view text = text_.view();
        if (at >= text.size())
            return 0;
        const std::size_t size = SKEP_TRY(uio.put(text.data() + at, text.size() - at));
        if (!offset)
            position_ += size;
        return size;
    }
    Result<std::uint64_t> seek(std::int64_t offset, int whence) override {
        MutexGuard guard(lock_);
        const std::int64_t base = whence == kSeekSet ? 0
                                  : whence == kSeekCurrent
                                      ? static_cast<std::int64_t>(position_)
                                      : static_cast<std::int64_t>(text_.view().size());
        std::int64_t target;
        if (whence < kSeekSet || whence > kSeekEnd ||
            __builtin_add_overflow(base, offset, &target) || target < 0)
            return fail(Errno::Inval);
        return position_ = static_cast<std::uint64_t>(target);
    }

  private:
    Mutex lock_{"ProcFile"};
    std::uint64_t position_ = 0;
    TextBuilder text_;
};

// Stands for an open file without a vnode: opening it again gives the same open file, as FreeBSD's
// /dev/fd does.
class OpenFileVnode final : public Vnode {
  public:
    OpenFileVnode(FileSystem& file_system, Ref<File> file)
        : Vnode(file_system, VnodeType::CharDevice), file_(std::move(file)) {}
    Result<> stat(FileStat& stat) override { return file_->stat(stat); }
    Result<Ref<File>> open(std::uint32_t) override { return file_; }

  private:
    Ref<File> file_;
};

}  // namespace

ProcVnode::ProcVnode(FileSystem& file_system, const ProcEntry& entry, std::int32_t process,
                     Ref<ProcVnode> parent, std::int64_t descriptor)
    : Vnode(file_system, entry.type),
      entry_(entry),
      process_(process),
      parent_(std::move(parent)),
      descriptor_(descriptor) {}

// Unlike for different nodes with all likelihood, alike for the same.
std::uint64_t ProcVnode::inode() const {
    if (!parent_)
        return 1;
    std::uint64_t hash = reinterpret_cast<std::uintptr_t>(&entry_) ^
                         static_cast<std::uint64_t>(descriptor_ + 1) << 40;
    hash =
        (hash ^ static_cast<std::uint32_t>(process_)) * 0x9e3779b97f4a7c15;  // 2^64 / golden ratio
    return hash >> 16 | 2;
}

Result<> ProcVnode::stat(FileStat& stat) {
    stat = FileStat();
    stat.device = file_system().id();
    stat.inode = inode();
    const bool listed = type() != VnodeType::Regular;
    stat.mode = mode_of(type()) | (listed ? 0555 : 0444);
    if (type() == VnodeType::Symlink)
        stat.mode |= 0777;
    stat.accessed = stat.modified = stat.changed = stat.created = realtime_now();
    if (process_) {
        const ProcessView view = SKEP_TRY(view_process(process_));
        stat.user = view.effective_user;
        stat.group = view.effective_group;
    }
    return {};
}

Result<Ref<Vnode>> ProcVnode::child(const ProcEntry& entry, std::int32_t process,
                                    std::int64_t descriptor) {
    return make_ref<ProcVnode>(file_system(), entry, process, Ref<ProcVnode>(this), descriptor);
}

Result<Ref<Vnode>> ProcVnode::lookup(std::string_view name) {
    if (!is_directory())
        return fail(Errno::NotDir);
    const auto value = number(name);
    if (entry_.descriptors) {
        if (!value || !SKEP_TRY(descriptors_of(process_))->get(*value))
            return fail(Errno::NoEnt);
        return child(kDescriptorLink, process_, *value);
    }
    if (!parent_ && value) {
        if (!view_process(static_cast<std::int32_t>(*value)))
            return fail(Errno::NoEnt);
        return child(kProcProcess, static_cast<std::int32_t>(*value));
    }
    for (const ProcEntry& entry : entry_.entries)
        if (entry.name == name)
            return child(entry, process_);
    return fail(Errno::NoEnt);
}

Result<Ref<Vnode>> ProcVnode::parent() {
    if (!is_directory())
        return fail(Errno::NotDir);
    return parent_ ? Ref<Vnode>(parent_) : Ref<Vnode>(this);
}

Result<std::size_t> ProcVnode::name_in_parent(std::span<char> buffer) {
    if (&entry_ == &kProcProcess)
        return format_to(buffer, "{}", process_).size();
    return entry_.name.copy(buffer.data(), buffer.size());
}

Result<std::uint64_t> ProcVnode::read_directory(std::uint64_t position, DirectorySink& sink) {
    std::array<char, 16> buffer;
    if (entry_.descriptors) {
        Ref<DescriptorTable> table = SKEP_TRY(descriptors_of(process_));
        for (auto found = table->next(static_cast<std::uint32_t>(position)); found;
             found = table->next(*found + 1)) {
            if (!sink.add(
                    {format_to(buffer, "{}", *found), *found + 3, VnodeType::Symlink, *found + 1}))
                break;
            position = *found + 1;
        }
        return position;
    }
    for (; position < entry_.entries.size(); position++) {
        const ProcEntry& entry = entry_.entries[position];
        if (!sink.add({entry.name, position + 3, entry.type, position + 1}))
            return position;
    }
    if (parent_)
        return position;
    // Then the processes: positions go on with their numbers.
    const std::uint64_t base = entry_.entries.size();
    for (std::int32_t process = next_process(static_cast<std::int32_t>(position - base)); process;
         process = next_process(process)) {
        const std::uint64_t next = base + static_cast<std::uint32_t>(process);
        if (!sink.add({format_to(buffer, "{}", process), next + 3, VnodeType::Directory, next}))
            break;
        position = next;
    }
    return position;
}

Result<Ref<File>> ProcVnode::descriptor_file() {
    auto file = SKEP_TRY(descriptors_of(process_))->get(static_cast<std::uint32_t>(descriptor_));
    return file ? file : fail(Errno::NoEnt);
}

Result<std::size_t> ProcVnode::read_link(std::span<char> buffer) {
    if (type() != VnodeType::Symlink)
        return fail(Errno::Inval);
    if (descriptor_ < 0) {
        TextBuilder text;
        SKEP_TRY(entry_.text(process_, text));
        return text.view().copy(buffer.data(), buffer.size());
    }
    Ref<File> file = SKEP_TRY(descriptor_file());
    if (file->opened_in()) {
        const Text path = SKEP_TRY(path_of(current_fs(), file->opened_in(), file->opened_name()));
        return path.view().copy(buffer.data(), buffer.size());
    }
    if (!file->opened_name().empty())  // memfd
        return file->opened_name().copy(buffer.data(), buffer.size());
    const std::string_view kind = file->description();
    if (kind.starts_with("anon_inode"))
        return kind.copy(buffer.data(), buffer.size());
    FileStat stat;
    SKEP_TRY(file->stat(stat));
    return format_to(buffer, "{}:[{}]", kind, stat.inode).size();
}

Result<Ref<Vnode>> ProcVnode::follow() {
    if (descriptor_ >= 0) {
        Ref<File> file = SKEP_TRY(descriptor_file());
        if (file->vnode())
            return file->vnode();
        return make_ref<OpenFileVnode>(file_system(), std::move(file));
    }
    return entry_.follow ? entry_.follow(process_) : Ref<Vnode>();
}

Result<Ref<File>> ProcVnode::open(std::uint32_t flags) {
    if (type() != VnodeType::Regular)
        return Vnode::open(flags);
    if (flags & kOpenWrite)
        return fail(Errno::Acces);
    TextBuilder text;
    SKEP_TRY(entry_.text(process_, text));
    return make_ref<ProcFile>(Ref<Vnode>(this), flags, std::move(text));
}

namespace {

class Procfs final : public FileSystem {
  public:
    const char* type() const override { return "proc"; }
    Ref<Vnode> root() override {
        SpinGuard guard(lock_);
        return root_;
    }
    Result<> stat(FileSystemStat& stat) override {
        stat.type = type();
        stat.id = id();
        return {};
    }
    void on_unmount() override {
        Ref<Vnode> old;
        SpinGuard guard(lock_);
        std::swap(old, root_);
        guard.unlock();
    }
    Result<> make_root() {
        root_ = SKEP_TRY(make_ref<ProcVnode>(*this, kProcRoot, 0, Ref<ProcVnode>()));
        return {};
    }

  private:
    SpinLock lock_{"Procfs"};
    Ref<Vnode> root_;
};

}  // namespace

Result<Ref<FileSystem>> create_procfs() {
    Ref<Procfs> procfs = SKEP_TRY(make_ref<Procfs>());
    SKEP_TRY(procfs->make_root());
    return Ref<FileSystem>(std::move(procfs));
}

}  // namespace skep::kernel
