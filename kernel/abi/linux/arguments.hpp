// From the arguments of Linux calls to kernel objects.
#pragma once

#include <kernel/abi/linux/file_types.hpp>
#include <kernel/base/vector.hpp>
#include <kernel/vfs/current.hpp>
#include <kernel/vfs/operations.hpp>

namespace skep::kernel::linux_abi {

inline constexpr std::size_t kIoMax = 0x7ffff000;  // MAX_RW_COUNT: no call moves more

inline Actor actor() { return {current_fs(), current_caller()}; }

// A call that did nothing yet when a signal came starts again after the handler, if that asks for it.
template <typename T>
Result<T> restartable(Result<T> result) {
    if (!result && result.error() == Errno::Intr)
        return fail(Errno::Restart);
    return result;
}

inline Result<Ref<File>> file_argument(std::uint64_t descriptor) {
    return current_descriptors().get(static_cast<std::uint32_t>(descriptor));
}

inline Result<std::uint32_t> add_descriptor(Ref<File> file, bool close_on_exec) {
    return current_descriptors().add(std::move(file), close_on_exec, current_descriptor_limit());
}

class PathArgument {
  public:
    // NoEnt for an empty path is the walk's.
    static Result<PathArgument> copy(UserAddr from) {
        PathArgument path;
        SKEP_TRY(path.text_.resize(kPathMax));
        path.size_ = SKEP_TRY(copy_in_string(path.text_.data(), from, kPathMax));
        return path;
    }
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

std::uint64_t encode_device(std::uint64_t number);  // as st_dev and st_rdev hold it
std::uint64_t decode_device(std::uint64_t encoded);
constexpr Timespec to_timespec(FileTime time) {
    std::int64_t seconds = time / 1'000'000'000, rest = time % 1'000'000'000;
    if (rest < 0)
        seconds--, rest += 1'000'000'000;
    return {seconds, rest};
}
// Inval unless 0 <= nanoseconds < 10^9.
Result<std::int64_t> from_timespec(const Timespec&);

// File's flags from O_*, and back.
std::uint32_t file_flags(std::uint32_t open_flags);
std::uint32_t open_flags(std::uint32_t file_flags);

}  // namespace skep::kernel::linux_abi
