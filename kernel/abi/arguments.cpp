#include <kernel/abi/arguments.hpp>

#include <kernel/ipc/pipe.hpp>

#include <algorithm>
#include <limits>

namespace skep::kernel::abi {

namespace {
constexpr std::uint64_t kIovecMax = 1024;
}

Result<Ref<File>> readable_argument(std::uint64_t descriptor) {
    Ref<File> file = SKEP_TRY(file_argument(descriptor));
    if (!(file->flags() & kOpenRead))
        return fail(Errno::BadF);
    return file;
}

Result<Ref<File>> writable_argument(std::uint64_t descriptor) {
    Ref<File> file = SKEP_TRY(file_argument(descriptor));
    if (!(file->flags() & kOpenWrite))
        return fail(Errno::BadF);
    return file;
}

Result<PathArgument> PathArgument::copy(UserAddr from) {
    PathArgument path;
    SKEP_TRY(path.text_.resize(kPathMax));
    path.size_ = SKEP_TRY(copy_in_string(path.text_.data(), from, kPathMax));
    return path;
}

Result<Ref<Vnode>> start_argument(std::uint64_t descriptor, std::string_view path) {
    if (static_cast<int>(descriptor) == kAtFdCwd || path.starts_with('/'))
        return current_fs().working_directory();
    Ref<File> file = SKEP_TRY(file_argument(descriptor));
    if (!file->vnode() || !file->vnode()->is_directory())
        return fail(Errno::NotDir);
    return file->vnode();
}

Result<PlaceArgument> place_argument(std::uint64_t descriptor, UserAddr path) {
    PlaceArgument place;
    place.path = SKEP_TRY(PathArgument::copy(path));
    place.start = SKEP_TRY(start_argument(descriptor, place.path.view()));
    return place;
}

Result<Vector<IoSegment>> iovec_argument(UserAddr from, std::uint64_t count) {
    if (count > kIovecMax)
        return fail(Errno::Inval);
    Vector<IoSegment> segments;
    SKEP_TRY(segments.resize(count));
    static_assert(sizeof(IoSegment) == 16);  // struct iovec
    if (count)
        SKEP_TRY(copy_in(segments.data(), from, count * sizeof(IoSegment)));
    std::size_t room = kIoMax;
    for (IoSegment& segment : segments) {
        if (segment.size > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
            return fail(Errno::Inval);
        segment.size = std::min(segment.size, room);
        room -= segment.size;
    }
    return segments;
}

Result<std::uint64_t> read_file(File& file, Uio& uio, std::uint64_t* offset) {
    return restartable(file.read(uio, offset));
}

Result<std::uint64_t> write_file(File& file, Uio& uio, std::uint64_t* offset) {
    auto written = file.write(uio, offset);
    if (!written && written.error() == Errno::Pipe && !(file.flags() & kFileNoPipeSignal))
        raise_pipe_signal();
    return restartable(written);
}

Result<std::uint64_t> position_argument(File& file, std::uint64_t offset) {
    if (static_cast<std::int64_t>(offset) < 0)
        return fail(Errno::Inval);
    if (file.kind() == FileKind::Pipe || file.kind() == FileKind::Socket ||
        file.kind() == FileKind::Tty)
        return fail(Errno::SPipe);
    return offset;
}

Result<> open_pipe(std::uint32_t (&descriptors)[2], std::uint32_t flags, bool close_on_exec) {
    PipePair pair = SKEP_TRY(create_pipe(flags));
    descriptors[0] = SKEP_TRY(add_descriptor(pair.read_end, close_on_exec));
    auto second = add_descriptor(pair.write_end, close_on_exec);
    if (!second) {
        (void)current_descriptors().close(descriptors[0]);
        return fail(second.error());
    }
    descriptors[1] = *second;
    return {};
}

}  // namespace skep::kernel::abi
