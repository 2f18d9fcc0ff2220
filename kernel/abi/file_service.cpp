#include <kernel/abi/file_service.hpp>

#include <kernel/abi/arguments.hpp>
#include <kernel/abi/time.hpp>
#include <kernel/sched/clock.hpp>
#include <kernel/sched/thread.hpp>
#include <kernel/vfs/tmpfs/tmpfs.hpp>
#include <kernel/vfs/vnode_file.hpp>

#include <algorithm>

namespace skep::kernel::abi {

namespace {

constexpr std::size_t kCopyChunk = 64 * 1024;

Result<RecordLock> record_of(const Ref<File>& file, LockOwner owner, const LockRange& range) {
    if (!file->vnode() || file->flags() & kOpenPath)
        return fail(Errno::BadF);
    RecordLock lock{.type = range.type};
    lock.owner = owner == LockOwner::OpenFile ? static_cast<const void*>(file.get())
                                              : current_descriptors().lock_owner();
    lock.process = owner == LockOwner::OpenFile ? -1 : current_process_id();
    std::int64_t base = 0;
    if (range.whence == kSeekCurrent) {
        base = static_cast<std::int64_t>(SKEP_TRY(file->seek(0, kSeekCurrent)));
    } else if (range.whence == kSeekEnd) {
        FileStat stat;
        SKEP_TRY(file->stat(stat));
        base = static_cast<std::int64_t>(stat.size);
    } else if (range.whence != kSeekSet) {
        return fail(Errno::Inval);
    }
    std::int64_t start, end = 0;
    if (__builtin_add_overflow(base, range.start, &start) ||
        (range.size && __builtin_add_overflow(start, range.size, &end)))
        return fail(Errno::Overflow);
    if (range.size < 0)
        std::swap(start, end);
    if (start < 0)
        return fail(Errno::Inval);
    lock.first = static_cast<std::uint64_t>(start);
    lock.last = range.size ? static_cast<std::uint64_t>(end) - 1 : ~0ull;
    return lock;
}

Result<Ref<Tmpfs>> memory_files() {
    static Mutex lock{"memory files"};
    static Ref<Tmpfs>* made = nullptr;
    const MutexGuard guard(lock);
    if (!made) {
        Ref<Tmpfs> fresh = SKEP_TRY(Tmpfs::create("tmpfs", 01777));
        made = new (std::nothrow) Ref<Tmpfs>(fresh);
        if (!made)
            return fail(Errno::NoMem);
    }
    return *made;
}

}  // namespace

Result<> set_record_lock(const Ref<File>& file, LockOwner owner, const LockRange& range,
                         bool wait) {
    const RecordLock lock = SKEP_TRY(record_of(file, owner, range));
    if (lock.type == LockType::Shared && !(file->flags() & kOpenRead))
        return fail(Errno::BadF);
    if (lock.type == LockType::Exclusive && !(file->flags() & kOpenWrite))
        return fail(Errno::BadF);
    return restartable(SKEP_TRY(file->vnode()->record_locks())->set(lock, wait));
}

Result<LockRange> find_record_lock(const Ref<File>& file, LockOwner owner, const LockRange& range) {
    const RecordLock lock = SKEP_TRY(record_of(file, owner, range));
    if (lock.type == LockType::Unlock)
        return fail(Errno::Inval);
    const RecordLock found = SKEP_TRY(file->vnode()->record_locks())->conflict(lock);
    LockRange out = range;
    out.type = found.type;
    if (found.type != LockType::Unlock) {
        out.whence = kSeekSet;
        out.start = static_cast<std::int64_t>(found.first);
        out.size =
            found.last == ~0ull ? 0 : static_cast<std::int64_t>(found.last - found.first + 1);
        out.process = found.process;
    }
    return out;
}

Result<> lock_whole_file(File& file, std::uint64_t operation) {
    constexpr std::uint64_t kShared = 1, kExclusive = 2, kNonblock = 4, kUnlock = 8;
    if (!file.vnode())
        return fail(Errno::OpNotSupp);
    RecordLock lock{.owner = &file, .process = -1};
    switch (operation & ~kNonblock) {
        case kShared:
            lock.type = LockType::Shared;
            break;
        case kExclusive:
            lock.type = LockType::Exclusive;
            break;
        case kUnlock:
            lock.type = LockType::Unlock;
            break;
        default:
            return fail(Errno::Inval);
    }
    return restartable(SKEP_TRY(file.vnode()->record_locks())->set(lock, !(operation & kNonblock)));
}

Result<std::uint64_t> copy_between(File& in, std::uint64_t* in_offset, File& out,
                                   std::uint64_t* out_offset, std::size_t size) {
    Vector<std::byte> buffer;
    SKEP_TRY(buffer.resize(std::min(size, kCopyChunk)));
    std::size_t done = 0;
    auto stop = [&](Errno error) { return done ? Result<std::uint64_t>(done) : fail(error); };
    while (done < size) {
        const IoSegment whole{reinterpret_cast<UserAddr>(buffer.data()),
                              std::min(buffer.size(), size - done)};
        Uio from = Uio::kernel({&whole, 1});
        const auto got = in.read(from, in_offset);
        if (!got)
            return stop(got.error());
        if (*got == 0)
            break;
        const IoSegment part{whole.base, *got};
        Uio to = Uio::kernel({&part, 1});
        std::size_t written = 0;
        Errno error{};
        while (written < *got) {
            const auto put = out.write(to, out_offset);
            if (!put) {
                error = put.error();
                break;
            }
            written += *put;
            if (out_offset)
                *out_offset += *put;
        }
        if (in_offset)
            *in_offset += written;
        else if (written < *got)
            (void)in.seek(-static_cast<std::int64_t>(*got - written), kSeekCurrent);
        done += written;
        if (written < *got)
            return stop(error);
        if (signal_pending())
            break;
    }
    return done;
}

Result<std::uint64_t> read_link(Vnode& vnode, UserAddr buffer, std::uint64_t size) {
    if (vnode.type() != VnodeType::Symlink)
        return fail(Errno::Inval);
    Vector<char> target;
    SKEP_TRY(target.resize(kPathMax));
    const std::size_t length =
        std::min<std::size_t>(SKEP_TRY(vnode.read_link(target.span())), size);
    SKEP_TRY(copy_out(buffer, target.data(), length));
    return length;
}

Result<> set_file_times(Vnode& vnode, const FileTimes& times) {
    if (!times.accessed && !times.modified)
        return {};
    return change_times(actor(), vnode, times.accessed, times.modified, times.now);
}

Result<FileTimes> timevals_argument(UserAddr from) {
    if (!from) {
        const FileTime now = realtime_now();
        return FileTimes{now, now, true};
    }
    struct Pair {
        Timeval accessed, modified;
    };
    const auto pair = SKEP_TRY(copy_in<Pair>(from));
    FileTimes times;
    times.accessed = SKEP_TRY(from_timeval(pair.accessed));
    times.modified = SKEP_TRY(from_timeval(pair.modified));
    return times;
}

void change_status_flags(File& file, std::uint32_t wanted) {
    constexpr std::uint32_t kMay = kOpenAppend | kOpenNonblock | kOpenAsync | kOpenDirect;
    file.set_flags((file.flags() & ~kMay) | (wanted & kMay));
}

Result<Ref<Vnode>> memory_directory() {
    return SKEP_TRY(memory_files())->root();
}

Result<Ref<File>> open_memory_file(std::string_view shown_name) {
    const Caller caller = current_caller();
    Ref<Vnode> vnode = SKEP_TRY(
        SKEP_TRY(memory_files())
            ->create_unnamed({.permissions = 0777, .user = caller.user, .group = caller.group}));
    Ref<File> file = SKEP_TRY(vnode->open(kOpenRead | kOpenWrite));
    SKEP_TRY(file->set_opened_as({}, shown_name));
    return file;
}

}  // namespace skep::kernel::abi
