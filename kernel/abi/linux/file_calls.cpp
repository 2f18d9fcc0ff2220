// Linux calls on descriptors.
#include <kernel/abi/file_service.hpp>
#include <kernel/abi/linux/arguments.hpp>
#include <kernel/abi/linux/ioctl.hpp>
#include <kernel/abi/syscall.hpp>
#include <kernel/ipc/pipe.hpp>
#include <kernel/sched/thread.hpp>
#include <kernel/vfs/vnode_file.hpp>

#include <algorithm>
#include <array>
#include <limits>

namespace skep::kernel::linux_abi {

namespace {

using Value = Result<std::uint64_t>;

Value read(const std::uint64_t* a) {
    Ref<File> file = SKEP_TRY(readable_argument(a[0]));
    const IoSegment segment{a[1], std::min<std::size_t>(a[2], kIoMax)};
    Uio uio = Uio::user({&segment, 1});
    return read_file(*file, uio, nullptr);
}

Value write(const std::uint64_t* a) {
    Ref<File> file = SKEP_TRY(writable_argument(a[0]));
    const IoSegment segment{a[1], std::min<std::size_t>(a[2], kIoMax)};
    Uio uio = Uio::user({&segment, 1});
    return write_file(*file, uio, nullptr);
}

Value pread64(const std::uint64_t* a) {
    Ref<File> file = SKEP_TRY(readable_argument(a[0]));
    std::uint64_t offset = SKEP_TRY(position_argument(*file, a[3]));
    const IoSegment segment{a[1], std::min<std::size_t>(a[2], kIoMax)};
    Uio uio = Uio::user({&segment, 1});
    return read_file(*file, uio, &offset);
}

Value pwrite64(const std::uint64_t* a) {
    Ref<File> file = SKEP_TRY(writable_argument(a[0]));
    std::uint64_t offset = SKEP_TRY(position_argument(*file, a[3]));
    const IoSegment segment{a[1], std::min<std::size_t>(a[2], kIoMax)};
    Uio uio = Uio::user({&segment, 1});
    return write_file(*file, uio, &offset);
}

Value readv(const std::uint64_t* a) {
    Ref<File> file = SKEP_TRY(readable_argument(a[0]));
    const Vector<IoSegment> segments = SKEP_TRY(iovec_argument(a[1], a[2]));
    Uio uio = Uio::user(segments.span());
    return read_file(*file, uio, nullptr);
}

Value writev(const std::uint64_t* a) {
    Ref<File> file = SKEP_TRY(writable_argument(a[0]));
    const Vector<IoSegment> segments = SKEP_TRY(iovec_argument(a[1], a[2]));
    Uio uio = Uio::user(segments.span());
    return write_file(*file, uio, nullptr);
}

Value preadv(const std::uint64_t* a) {
    Ref<File> file = SKEP_TRY(readable_argument(a[0]));
    std::uint64_t offset = SKEP_TRY(position_argument(*file, a[3]));
    const Vector<IoSegment> segments = SKEP_TRY(iovec_argument(a[1], a[2]));
    Uio uio = Uio::user(segments.span());
    return read_file(*file, uio, &offset);
}

Value pwritev(const std::uint64_t* a) {
    Ref<File> file = SKEP_TRY(writable_argument(a[0]));
    std::uint64_t offset = SKEP_TRY(position_argument(*file, a[3]));
    const Vector<IoSegment> segments = SKEP_TRY(iovec_argument(a[1], a[2]));
    Uio uio = Uio::user(segments.span());
    return write_file(*file, uio, &offset);
}

// The "2" forms: an offset of -1 means the file's position; no RWF_* flags.
Value preadv2(const std::uint64_t* a) {
    if (a[5])
        return fail(Errno::OpNotSupp);
    return static_cast<std::int64_t>(a[3]) == -1 ? readv(a) : preadv(a);
}
Value pwritev2(const std::uint64_t* a) {
    if (a[5])
        return fail(Errno::OpNotSupp);
    return static_cast<std::int64_t>(a[3]) == -1 ? writev(a) : pwritev(a);
}

Value lseek(const std::uint64_t* a) {
    Ref<File> file = SKEP_TRY(file_argument(a[0]));
    return file->seek(static_cast<std::int64_t>(a[1]), static_cast<int>(a[2]));
}

Value close(const std::uint64_t* a) {
    SKEP_TRY(current_descriptors().close(static_cast<std::uint32_t>(a[0])));
    return 0;
}

Value close_range(const std::uint64_t* a) {
    constexpr std::uint64_t kUnshare = 2, kCloseOnExec = 4;
    const auto first = static_cast<std::uint32_t>(a[0]), last = static_cast<std::uint32_t>(a[1]);
    if (first > last || (a[2] & ~(kUnshare | kCloseOnExec)))
        return fail(Errno::Inval);
    if (a[2] & kCloseOnExec)
        current_descriptors().set_close_on_exec_range(first, last);
    else
        current_descriptors().close_range(first, last);
    return 0;
}

Value dup(const std::uint64_t* a) {
    return add_descriptor(SKEP_TRY(file_argument(a[0])), false);
}

Value dup3(const std::uint64_t* a) {
    const auto from = static_cast<std::uint32_t>(a[0]), to = static_cast<std::uint32_t>(a[1]);
    if (from == to || (a[2] & ~std::uint64_t{kOCloseOnExec}))
        return fail(Errno::Inval);
    Ref<File> file = SKEP_TRY(file_argument(from));
    SKEP_TRY(current_descriptors().replace(to, std::move(file), a[2] & kOCloseOnExec,
                                           current_descriptor_limit()));
    return to;
}

Value dup2(const std::uint64_t* a) {
    if (static_cast<std::uint32_t>(a[0]) == static_cast<std::uint32_t>(a[1])) {
        SKEP_TRY(file_argument(a[0]));
        return a[1];
    }
    const std::uint64_t arguments[] = {a[0], a[1], 0};
    return dup3(arguments);
}

Value pipe2(const std::uint64_t* a) {
    if (a[1] & ~std::uint64_t{kOCloseOnExec | kONonblock | kODirect})
        return fail(Errno::Inval);
    std::uint32_t descriptors[2];
    SKEP_TRY(open_pipe(descriptors, a[1] & kONonblock ? kOpenNonblock : 0, a[1] & kOCloseOnExec));
    if (auto told = copy_out(a[0], descriptors); !told) {
        for (const std::uint32_t descriptor : descriptors)
            (void)current_descriptors().close(descriptor);
        return fail(told.error());
    }
    return 0;
}

Value pipe(const std::uint64_t* a) {
    const std::uint64_t arguments[] = {a[0], 0};
    return pipe2(arguments);
}

Value fsync(const std::uint64_t* a) {
    SKEP_TRY(SKEP_TRY(file_argument(a[0]))->sync());
    return 0;
}

Value sync_file_range(const std::uint64_t* a) {
    return fsync(a);
}

Value ftruncate(const std::uint64_t* a) {
    if (static_cast<std::int64_t>(a[1]) < 0)
        return fail(Errno::Inval);
    Ref<File> file = SKEP_TRY(file_argument(a[0]));
    if (!(file->flags() & kOpenWrite))
        return fail(Errno::Inval);
    SKEP_TRY(file->truncate(a[1]));
    return 0;
}

Value fallocate(const std::uint64_t* a) {
    constexpr std::uint64_t kKeepSize = 1, kPunchHole = 2, kZeroRange = 16;
    const std::uint64_t mode = a[1], offset = a[2], size = a[3];
    if (static_cast<std::int64_t>(offset) < 0 || static_cast<std::int64_t>(size) <= 0)
        return fail(Errno::Inval);
    Ref<File> file = SKEP_TRY(writable_argument(a[0]));
    if (!file->vnode())
        return fail(file->kind() == FileKind::Pipe ? Errno::SPipe : Errno::NoDev);
    Vnode& vnode = *file->vnode();
    if (vnode.is_directory())
        return fail(Errno::IsDir);
    if (mode == (kPunchHole | kKeepSize)) {
        SKEP_TRY(vnode.punch_hole(offset, size));
        return 0;
    }
    if (mode & ~(kKeepSize | kZeroRange))
        return fail(Errno::OpNotSupp);
    if (mode & kZeroRange)
        SKEP_TRY(vnode.punch_hole(offset, size));
    SKEP_TRY(vnode.allocate(offset, size, mode & kKeepSize));
    return 0;
}

// --- fcntl ---

constexpr std::array<LockType, 3> kLockTypes{LockType::Shared, LockType::Exclusive,
                                             LockType::Unlock};  // F_RDLCK...

Value record_lock(const Ref<File>& file, int command, UserAddr address) {
    Flock flock = SKEP_TRY(copy_in<Flock>(address));
    const auto type = static_cast<std::size_t>(flock.type);
    if (type >= kLockTypes.size())
        return fail(Errno::Inval);
    const LockRange range{
        .type = kLockTypes[type], .whence = flock.whence, .start = flock.start, .size = flock.size};
    const LockOwner owner = command >= kFOpenGetLock ? LockOwner::OpenFile : LockOwner::Process;
    if (owner == LockOwner::OpenFile && flock.process)
        return fail(Errno::Inval);
    if (command != kFGetLock && command != kFOpenGetLock) {
        SKEP_TRY(set_record_lock(file, owner, range,
                                 command == kFSetLockWait || command == kFOpenSetLockWait));
        return 0;
    }
    const LockRange found = SKEP_TRY(find_record_lock(file, owner, range));
    flock.type =
        static_cast<std::int16_t>(std::ranges::find(kLockTypes, found.type) - kLockTypes.begin());
    if (found.type != LockType::Unlock) {
        flock.whence = static_cast<std::int16_t>(found.whence);
        flock.start = found.start;
        flock.size = found.size;
        flock.process = found.process;
    }
    SKEP_TRY(copy_out(address, flock));
    return 0;
}

Value fcntl(const std::uint64_t* a) {
    DescriptorTable& table = current_descriptors();
    const auto descriptor = static_cast<std::uint32_t>(a[0]);
    Ref<File> file = SKEP_TRY(table.get(descriptor));
    switch (static_cast<int>(a[1])) {
        case kFDup:
        case kFDupCloseOnExec:
            if (a[2] > std::numeric_limits<std::int32_t>::max())
                return fail(Errno::Inval);
            return table.add(std::move(file), a[1] == kFDupCloseOnExec, current_descriptor_limit(),
                             static_cast<std::uint32_t>(a[2]));
        case kFGetDescriptorFlags:
            return SKEP_TRY(table.close_on_exec(descriptor)) ? 1 : 0;
        case kFSetDescriptorFlags:
            SKEP_TRY(table.set_close_on_exec(descriptor, a[2] & 1));
            return 0;
        case kFGetFlags:
            return open_flags(file->flags());
        case kFSetFlags:
            change_status_flags(*file, file_flags(static_cast<std::uint32_t>(a[2])));
            return 0;
        case kFGetLock:
        case kFSetLock:
        case kFSetLockWait:
        case kFOpenGetLock:
        case kFOpenSetLock:
        case kFOpenSetLockWait:
            return record_lock(file, static_cast<int>(a[1]), a[2]);
        case kFSetOwner:
            return 0;  // no SIGIO is ever sent
        case kFGetOwner:
            return 0;
        case kFGetPipeSize:
        case kFSetPipeSize:
            if (file->kind() != FileKind::Pipe)
                return fail(Errno::BadF);
            if (a[1] == kFSetPipeSize && a[2] > kPipeCapacity)
                return fail(Errno::Perm);
            return kPipeCapacity;
        default:
            return fail(Errno::Inval);
    }
}

Value flock(const std::uint64_t* a) {
    Ref<File> file = SKEP_TRY(file_argument(a[0]));
    SKEP_TRY(lock_whole_file(*file, a[1]));
    return 0;
}

Value ioctl(const std::uint64_t* a) {
    Ref<File> file = SKEP_TRY(file_argument(a[0]));
    if (file->flags() & kOpenPath)
        return fail(Errno::BadF);
    return file_ioctl(*file, static_cast<std::uint32_t>(a[0]), static_cast<std::uint32_t>(a[1]),
                      a[2]);
}

// --- moving bytes between files ---

Value sendfile(const std::uint64_t* a) {
    Ref<File> out = SKEP_TRY(writable_argument(a[0])), in = SKEP_TRY(readable_argument(a[1]));
    if (in->kind() != FileKind::Vnode)
        return fail(Errno::Inval);
    const std::size_t size = std::min<std::size_t>(a[3], kIoMax);
    std::uint64_t offset = 0;
    if (a[2]) {
        offset = SKEP_TRY(copy_in<std::uint64_t>(a[2]));
        if (static_cast<std::int64_t>(offset) < 0)
            return fail(Errno::Inval);
    }
    auto sent = copy_between(*in, a[2] ? &offset : nullptr, *out, nullptr, size);
    if (!sent && sent.error() == Errno::Pipe)
        raise_pipe_signal();
    if (sent && a[2])
        SKEP_TRY(copy_out(a[2], offset));
    return restartable(sent);
}

Value copy_file_range(const std::uint64_t* a) {
    Ref<File> in = SKEP_TRY(readable_argument(a[0])), out = SKEP_TRY(writable_argument(a[2]));
    if (in->kind() != FileKind::Vnode || out->kind() != FileKind::Vnode || a[5])
        return fail(Errno::Inval);
    if (out->flags() & kOpenAppend)
        return fail(Errno::BadF);
    std::uint64_t in_offset = 0, out_offset = 0;
    if (a[1])
        in_offset = SKEP_TRY(copy_in<std::uint64_t>(a[1]));
    if (a[3])
        out_offset = SKEP_TRY(copy_in<std::uint64_t>(a[3]));
    if (static_cast<std::int64_t>(in_offset) < 0 || static_cast<std::int64_t>(out_offset) < 0)
        return fail(Errno::Inval);
    const std::uint64_t copied =
        SKEP_TRY(copy_between(*in, a[1] ? &in_offset : nullptr, *out, a[3] ? &out_offset : nullptr,
                              std::min<std::size_t>(a[4], kIoMax)));
    if (a[1])
        SKEP_TRY(copy_out(a[1], in_offset));
    if (a[3])
        SKEP_TRY(copy_out(a[3], out_offset));
    return copied;
}

Value fadvise64(const std::uint64_t* a) {
    SKEP_TRY(file_argument(a[0]));
    return 0;
}

constexpr Syscall kTable[] = {
    {0, "read", 3, read},
    {1, "write", 3, write},
    {3, "close", 1, close},
    {8, "lseek", 3, lseek},
    {16, "ioctl", 3, ioctl, SyscallStatus::Partial,
     "terminals, FIO*, sockets, and what drivers define"},
    {17, "pread64", 4, pread64},
    {18, "pwrite64", 4, pwrite64},
    {19, "readv", 3, readv},
    {20, "writev", 3, writev},
    {22, "pipe", 1, pipe},
    {32, "dup", 1, dup},
    {33, "dup2", 2, dup2},
    {40, "sendfile", 4, sendfile},
    {72, "fcntl", 3, fcntl, SyscallStatus::Partial,
     "no SIGIO, leases, seals or notification; no deadlock detection"},
    {73, "flock", 2, flock, SyscallStatus::Partial, "meets fcntl locks, as on FreeBSD"},
    {74, "fsync", 1, fsync},
    {75, "fdatasync", 1, fsync},
    {77, "ftruncate", 2, ftruncate},
    {221, "fadvise64", 4, fadvise64, SyscallStatus::Ignored, "advice"},
    {277, "sync_file_range", 4, sync_file_range},
    {285, "fallocate", 4, fallocate, SyscallStatus::Partial, "no collapse, insert or unshare"},
    {292, "dup3", 3, dup3},
    {293, "pipe2", 2, pipe2, SyscallStatus::Partial, "O_DIRECT packets are a stream"},
    {295, "preadv", 5, preadv},
    {296, "pwritev", 5, pwritev},
    {326, "copy_file_range", 6, copy_file_range},
    {327, "preadv2", 6, preadv2, SyscallStatus::Partial, "no RWF_* flags"},
    {328, "pwritev2", 6, pwritev2, SyscallStatus::Partial, "no RWF_* flags"},
    {436, "close_range", 3, close_range, SyscallStatus::Partial,
     "CLOSE_RANGE_UNSHARE does not unshare"},
};

}  // namespace

extern const std::span<const Syscall> file_calls;
const std::span<const Syscall> file_calls = kTable;

}  // namespace skep::kernel::linux_abi
