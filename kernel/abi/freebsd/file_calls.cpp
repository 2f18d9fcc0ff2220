// FreeBSD calls on descriptors.
#include <kernel/abi/arguments.hpp>
#include <kernel/abi/file_service.hpp>
#include <kernel/abi/freebsd/file_types.hpp>
#include <kernel/abi/freebsd/ioctl.hpp>
#include <kernel/abi/freebsd/tables.hpp>
#include <kernel/sched/thread_impl.hpp>
#include <kernel/vfs/vnode_file.hpp>

#include <algorithm>
#include <limits>

namespace skep::kernel::freebsd_abi {

namespace {

using namespace abi;

Result<Vector<IoSegment>> one_segment(UserAddr base, std::uint64_t size) {
    if (static_cast<std::int64_t>(size) < 0)
        return fail(Errno::Inval);
    Vector<IoSegment> segments;
    SKEP_TRY(segments.push_back({base, std::min<std::size_t>(size, kIoMax)}));
    return segments;
}

Returns do_read(std::uint64_t descriptor, Result<Vector<IoSegment>> segments,
                const std::uint64_t* at) {
    const Ref<File> file = SKEP_TRY(readable_argument(descriptor));
    if (!segments)
        return fail(segments.error());
    Uio uio = Uio::user(segments->span());
    std::uint64_t offset = at ? SKEP_TRY(position_argument(*file, *at)) : 0;
    return read_file(*file, uio, at ? &offset : nullptr);
}

Returns do_write(std::uint64_t descriptor, Result<Vector<IoSegment>> segments,
                 const std::uint64_t* at) {
    const Ref<File> file = SKEP_TRY(writable_argument(descriptor));
    if (!segments)
        return fail(segments.error());
    Uio uio = Uio::user(segments->span());
    std::uint64_t offset = at ? SKEP_TRY(position_argument(*file, *at)) : 0;
    return write_file(*file, uio, at ? &offset : nullptr);
}

Returns read(Arguments a) {
    return do_read(a[0], one_segment(a[1], a[2]), nullptr);
}
Returns write(Arguments a) {
    return do_write(a[0], one_segment(a[1], a[2]), nullptr);
}
Returns pread(Arguments a) {
    return do_read(a[0], one_segment(a[1], a[2]), &a[3]);
}
Returns pwrite(Arguments a) {
    return do_write(a[0], one_segment(a[1], a[2]), &a[3]);
}
Returns readv(Arguments a) {
    return do_read(a[0], iovec_argument(a[1], static_cast<std::uint32_t>(a[2])), nullptr);
}
Returns writev(Arguments a) {
    return do_write(a[0], iovec_argument(a[1], static_cast<std::uint32_t>(a[2])), nullptr);
}
Returns preadv(Arguments a) {
    return do_read(a[0], iovec_argument(a[1], static_cast<std::uint32_t>(a[2])), &a[3]);
}
Returns pwritev(Arguments a) {
    return do_write(a[0], iovec_argument(a[1], static_cast<std::uint32_t>(a[2])), &a[3]);
}

Returns lseek(Arguments a) {
    const Ref<File> file = SKEP_TRY(file_argument(a[0]));
    return file->seek(static_cast<std::int64_t>(a[1]), static_cast<int>(a[2]));
}

Returns close(Arguments a) {
    SKEP_TRY(current_descriptors().close(static_cast<std::uint32_t>(a[0])));
    return 0;
}

Returns closefrom(Arguments a) {
    const auto first = static_cast<std::int32_t>(a[0]);
    current_descriptors().close_range(first < 0 ? 0 : static_cast<std::uint32_t>(first),
                                      std::numeric_limits<std::uint32_t>::max());
    return 0;
}

Returns close_range(Arguments a) {
    constexpr std::uint64_t kCloseOnExec = 4;
    const auto first = static_cast<std::uint32_t>(a[0]), last = static_cast<std::uint32_t>(a[1]);
    if (first > last || a[2] & ~kCloseOnExec)
        return fail(Errno::Inval);
    if (a[2] & kCloseOnExec)
        current_descriptors().set_close_on_exec_range(first, last);
    else
        current_descriptors().close_range(first, last);
    return 0;
}

Returns dup(Arguments a) {
    return add_descriptor(SKEP_TRY(file_argument(a[0])), false);
}

Returns duplicate_to(std::uint64_t from, std::uint64_t to, bool close_on_exec) {
    Ref<File> file = SKEP_TRY(file_argument(from));
    const auto target = static_cast<std::uint32_t>(to);
    if (static_cast<std::uint32_t>(from) != target)
        SKEP_TRY(current_descriptors().replace(target, std::move(file), close_on_exec,
                                               current_descriptor_limit()));
    return target;
}
Returns dup2(Arguments a) {
    return duplicate_to(a[0], a[1], false);
}

Returns pipe2(Arguments a) {
    if (a[1] & ~std::uint64_t{kOCloseOnExec | kONonblock})
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

// The second descriptor is in RDX.
Returns old_pipe(Arguments) {
    std::uint32_t descriptors[2];
    SKEP_TRY(open_pipe(descriptors, 0, false));
    current_thread().user_frame().rdx = descriptors[1];
    return descriptors[0];
}

Returns fsync(Arguments a) {
    SKEP_TRY(SKEP_TRY(file_argument(a[0]))->sync());
    return 0;
}

Returns ftruncate(Arguments a) {
    if (static_cast<std::int64_t>(a[1]) < 0)
        return fail(Errno::Inval);
    const Ref<File> file = SKEP_TRY(file_argument(a[0]));
    if (!(file->flags() & kOpenWrite))
        return fail(Errno::Inval);
    SKEP_TRY(file->truncate(a[1]));
    return 0;
}

// These two tell their error as their result.
Returns as_result(Result<> result) {
    return result ? 0 : static_cast<std::uint64_t>(result.error());
}
Returns posix_fallocate(Arguments a) {
    return as_result([&]() -> Result<> {
        if (static_cast<std::int64_t>(a[1]) < 0 || static_cast<std::int64_t>(a[2]) <= 0)
            return fail(Errno::Inval);
        const Ref<File> file = SKEP_TRY(writable_argument(a[0]));
        if (!file->vnode())
            return fail(file->kind() == FileKind::Pipe ? Errno::SPipe : Errno::NoDev);
        return file->vnode()->allocate(a[1], a[2], false);
    }());
}
Returns posix_fadvise(Arguments a) {
    const auto file = file_argument(a[0]);
    return file ? 0 : static_cast<std::uint64_t>(file.error());
}

Result<LockRange> lock_argument(UserAddr at) {
    const Flock in = SKEP_TRY(copy_in<Flock>(at));
    LockRange range{.whence = in.whence, .start = in.start, .size = in.size};
    switch (in.type) {
        case kReadLock:
            range.type = LockType::Shared;
            break;
        case kWriteLock:
            range.type = LockType::Exclusive;
            break;
        case kUnlock:
            range.type = LockType::Unlock;
            break;
        default:
            return fail(Errno::Inval);
    }
    return range;
}

Returns record_lock(const Ref<File>& file, std::int32_t command, UserAddr at) {
    const LockRange range = SKEP_TRY(lock_argument(at));
    if (command != kFGetLock) {
        SKEP_TRY(set_record_lock(file, LockOwner::Process, range, command == kFSetLockWait));
        return 0;
    }
    const LockRange found = SKEP_TRY(find_record_lock(file, LockOwner::Process, range));
    Flock out = SKEP_TRY(copy_in<Flock>(at));
    out.type = found.type == LockType::Shared      ? kReadLock
               : found.type == LockType::Exclusive ? kWriteLock
                                                   : kUnlock;
    out.whence = static_cast<std::int16_t>(found.whence);
    out.start = found.start;
    out.size = found.size;
    if (found.type != LockType::Unlock)
        out.process = found.process;
    SKEP_TRY(copy_out(at, out));
    return 0;
}

Returns fcntl(Arguments a) {
    DescriptorTable& table = current_descriptors();
    const auto descriptor = static_cast<std::uint32_t>(a[0]);
    const auto command = static_cast<std::int32_t>(a[1]);
    Ref<File> file = SKEP_TRY(table.get(descriptor));
    switch (command) {
        case kFDup:
        case kFDupCloseOnExec:
            if (static_cast<std::int32_t>(a[2]) < 0)
                return fail(Errno::Inval);
            return table.add(std::move(file), command == kFDupCloseOnExec,
                             current_descriptor_limit(), static_cast<std::uint32_t>(a[2]));
        case kFDup2:
        case kFDup2CloseOnExec:
            return duplicate_to(descriptor, a[2], command == kFDup2CloseOnExec);
        case kFGetDescriptorFlags:
            return SKEP_TRY(table.close_on_exec(descriptor)) ? 1 : 0;
        case kFSetDescriptorFlags:
            SKEP_TRY(table.set_close_on_exec(descriptor, a[2] & 1));
            return 0;
        case kFGetFlags:
            return open_flags(file->flags());
        case kFSetFlags:
            change_status_flags(*file, static_cast<std::uint32_t>(a[2]));
            return 0;
        case kFGetLock:
        case kFSetLock:
        case kFSetLockWait:
            return record_lock(file, command, a[2]);
        case kFGetOwner:
        case kFSetOwner:
            return 0;  // no SIGIO is ever sent
        case kFReadAhead:
        case kFOldReadAhead:
        case kFIsUnionStack:
            return 0;
        default:
            return fail(Errno::Inval);
    }
}

Returns flock(Arguments a) {
    const Ref<File> file = SKEP_TRY(file_argument(a[0]));
    SKEP_TRY(lock_whole_file(*file, a[1]));
    return 0;
}

Returns ioctl(Arguments a) {
    const Ref<File> file = SKEP_TRY(file_argument(a[0]));
    if (file->flags() & kOpenPath)
        return fail(Errno::BadF);
    return file_ioctl(*file, static_cast<std::uint32_t>(a[0]), static_cast<std::uint32_t>(a[1]),
                      a[2]);
}

Returns copy_file_range(Arguments a) {
    const Ref<File> in = SKEP_TRY(readable_argument(a[0])), out = SKEP_TRY(writable_argument(a[2]));
    if (in->kind() != FileKind::Vnode || out->kind() != FileKind::Vnode || a[5])
        return fail(Errno::Inval);
    if (out->flags() & kOpenAppend)
        return fail(Errno::BadF);
    std::uint64_t in_offset = a[1] ? SKEP_TRY(copy_in<std::uint64_t>(a[1])) : 0;
    std::uint64_t out_offset = a[3] ? SKEP_TRY(copy_in<std::uint64_t>(a[3])) : 0;
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

// Without headers and trailers (programs fall back to writing them).
Returns sendfile(Arguments a) {
    struct HeadersTrailers {
        std::uint64_t headers;
        std::int32_t header_count, padding;
        std::uint64_t trailers;
        std::int32_t trailer_count, padding2;
    };
    const Ref<File> in = SKEP_TRY(readable_argument(a[0])), out = SKEP_TRY(writable_argument(a[1]));
    if (in->kind() != FileKind::Vnode)
        return fail(Errno::Inval);
    if (!out->socket())
        return fail(Errno::NotSock);
    if (a[4]) {
        const auto extra = SKEP_TRY(copy_in<HeadersTrailers>(a[4]));
        if (extra.header_count || extra.trailer_count)
            return fail(Errno::OpNotSupp);
    }
    // The seventh argument, flags, is on the stack and only advises; the sixth takes the bytes
    // sent.
    std::uint64_t offset = a[2];
    if (static_cast<std::int64_t>(offset) < 0)
        return fail(Errno::Inval);
    const std::size_t size = a[3] ? std::min<std::size_t>(a[3], kIoMax) : kIoMax;
    const std::uint64_t before = offset;
    const auto sent = copy_between(*in, &offset, *out, nullptr, size);
    if (a[5])
        SKEP_TRY(copy_out(a[5], offset - before));
    if (!sent && sent.error() == Errno::Pipe)
        raise_pipe_signal();
    if (!sent)
        return sent;
    FileStat stat;
    SKEP_TRY(in->stat(stat));
    if (*sent < size && offset < stat.size)  // neither all nor up to the end of the file
        return fail(signal_pending() ? Errno::Intr : Errno::Again);
    return 0;
}

Returns getdtablesize(Arguments) {
    return current_descriptor_limit();
}

// What pathconf(2) tells is alike for all files here: sys/unistd.h, _PC_*.
Returns path_configuration(std::int32_t name) {
    enum : std::int32_t {
        LinkMax = 1,
        MaxCanon = 2,
        MaxInput = 3,
        NameMax = 4,
        PathMax = 5,
        PipeBuf = 6,
        ChownRestricted = 7,
        NoTruncate = 8,
        Vdisable = 9,
        AsyncIo = 53,
        PrioIo = 54,
        SyncIo = 55,
        AllocSizeMin = 10,
        FileSizeBits = 12,
        RecIncrXfer = 14,
        RecMaxXfer = 15,
        RecMinXfer = 16,
        RecXferAlign = 17,
        SymlinkMax = 18,
        AclExtended = 59,
        AclPathMax = 60,
        CapPresent = 61,
        MinHoleSize = 21,
        AclNfs4 = 64,
        Deallocate = 65
    };
    switch (name) {
        case LinkMax:
            return 32767;
        case MaxCanon:
        case MaxInput:
        case NameMax:
            return 255;
        case PathMax:
        case SymlinkMax:
            return 1024;
        case PipeBuf:
        case AllocSizeMin:
        case RecIncrXfer:
        case RecMinXfer:
        case RecXferAlign:
        case MinHoleSize:
            return 4096;
        case RecMaxXfer:
            return 65536;
        case ChownRestricted:
        case NoTruncate:
        case Deallocate:
            return 1;
        case Vdisable:
            return 0xff;
        case FileSizeBits:
            return 64;
        case AclExtended:
        case AclNfs4:
        case CapPresent:
        case AsyncIo:
        case PrioIo:
        case SyncIo:
            return 0;
        case AclPathMax:
            return 3;
        default:
            return fail(Errno::Inval);
    }
}
Returns fpathconf(Arguments a) {
    SKEP_TRY(file_argument(a[0]));
    return path_configuration(static_cast<std::int32_t>(a[1]));
}
Returns path_configuration_at(Arguments a, bool follow) {
    const PlaceArgument place =
        SKEP_TRY(place_argument(static_cast<std::uint64_t>(kAtFdCwd), a[0]));
    SKEP_TRY(find_vnode(actor(), place, follow));
    return path_configuration(static_cast<std::int32_t>(a[1]));
}
Returns pathconf(Arguments a) {
    return path_configuration_at(a, true);
}
Returns lpathconf(Arguments a) {
    return path_configuration_at(a, false);
}

constexpr Syscall kCalls[] = {
    {3, "read", 3, read},
    {4, "write", 3, write},
    {6, "close", 1, close},
    {41, "dup", 1, dup},
    {42, "freebsd10_pipe", 0, old_pipe},
    {54, "ioctl", 3, ioctl, SyscallStatus::Partial,
     "terminals, FIO*, sockets, SKQ's FKQ* of a kqueue, and what drivers define"},
    {89, "getdtablesize", 0, getdtablesize},
    {90, "dup2", 2, dup2},
    {92, "fcntl", 3, fcntl, SyscallStatus::Partial,
     "no SIGIO, seals or F_KINFO; no deadlock detection"},
    {95, "fsync", 1, fsync},
    {120, "readv", 3, readv},
    {121, "writev", 3, writev},
    {131, "flock", 2, flock},
    {191, "pathconf", 2, pathconf},
    {192, "fpathconf", 2, fpathconf},
    {289, "preadv", 4, preadv},
    {290, "pwritev", 4, pwritev},
    {393, "sendfile", 7, sendfile, SyscallStatus::Partial,
     "no headers and trailers; flags have no effect"},
    {475, "pread", 4, pread},
    {476, "pwrite", 4, pwrite},
    {478, "lseek", 3, lseek},
    {480, "ftruncate", 2, ftruncate},
    {509, "closefrom", 1, closefrom},
    {513, "lpathconf", 2, lpathconf},
    {530, "posix_fallocate", 3, posix_fallocate},
    {531, "posix_fadvise", 4, posix_fadvise, SyscallStatus::Ignored, "advice"},
    {542, "pipe2", 2, pipe2},
    {550, "fdatasync", 1, fsync},
    {569, "copy_file_range", 6, copy_file_range},
    {575, "close_range", 3, close_range},
};

}  // namespace

const std::span<const Syscall> file_calls = kCalls;

}  // namespace skep::kernel::freebsd_abi
