// From system-call arguments to kernel objects, where both personalities agree: descriptors, paths,
// iovecs.
#pragma once

#include <kernel/base/vector.hpp>
#include <kernel/vfs/current.hpp>
#include <kernel/vfs/operations.hpp>

namespace skep::kernel::abi {

inline constexpr std::size_t kIoMax = 0x7fff'f000;  // no call moves more
inline constexpr int kAtFdCwd = -100;               // AT_FDCWD, alike in both

inline Actor actor() {
    return {current_fs(), current_caller()};
}

// A call that did nothing yet when a signal came starts again after the handler, if that asks for
// it.
template <typename T>
Result<T> restartable(Result<T> result) {
    if (!result && result.error() == Errno::Intr)
        return fail(Errno::Restart);
    return result;
}

inline Result<Ref<File>> file_argument(std::uint64_t descriptor) {
    return current_descriptors().get(static_cast<std::uint32_t>(descriptor));
}
// BadF unless open for it.
Result<Ref<File>> readable_argument(std::uint64_t descriptor);
Result<Ref<File>> writable_argument(std::uint64_t descriptor);

inline Result<std::uint32_t> add_descriptor(Ref<File> file, bool close_on_exec) {
    return current_descriptors().add(std::move(file), close_on_exec, current_descriptor_limit());
}

class PathArgument {
  public:
    // NoEnt for an empty path is the walk's.
    static Result<PathArgument> copy(UserAddr from);
    std::string_view view() const { return {text_.data(), size_}; }

  private:
    Vector<char> text_;
    std::size_t size_ = 0;
};

// Where a relative path of an *at call starts. BadF, NotDir.
Result<Ref<Vnode>> start_argument(std::uint64_t descriptor, std::string_view path);

// (descriptor, path) of an *at call.
struct PlaceArgument {
    PathArgument path;
    Ref<Vnode> start;
    operator Place() const { return {start, path.view()}; }
};
Result<PlaceArgument> place_argument(std::uint64_t descriptor, UserAddr path);

// An iovec array; at most kIoMax bytes in all.
Result<Vector<IoSegment>> iovec_argument(UserAddr from, std::uint64_t count);

// SIGPIPE where it belongs; an interrupted call restarts.
Result<std::uint64_t> read_file(File&, Uio&, std::uint64_t* offset);
Result<std::uint64_t> write_file(File&, Uio&, std::uint64_t* offset);
// pread and pwrite need a file with positions: SPipe.
Result<std::uint64_t> position_argument(File&, std::uint64_t offset);

// Both ends become descriptors, `descriptors` gets their numbers. `flags`: kOpenNonblock or 0.
Result<> open_pipe(std::uint32_t (&descriptors)[2], std::uint32_t flags, bool close_on_exec);

}  // namespace skep::kernel::abi
