// Starting programs.
#pragma once

#include <kernel/base/vector.hpp>
#include <kernel/mm/layout.hpp>
#include <kernel/proc/elf.hpp>
#include <kernel/proc/process.hpp>
#include <kernel/vfs/operations.hpp>

#include <string_view>

namespace skep::kernel {

// Argument and environment strings, each NUL-terminated, in one buffer.
class StringList {
  public:
    static constexpr std::size_t kMaxBytes = 2 * 1024 * 1024;  // both lists together
    Result<> add(std::string_view text);                       // TooBig, NoMem
    Result<> add_user(UserAddr text, std::size_t budget);
    std::size_t count() const { return count_; }
    std::size_t bytes() const { return text_.size(); }
    const char* data() const { return text_.data(); }
    void clear() {
        text_.clear();
        count_ = 0;
    }
    // Replaces the first string by `prefix` (all of its strings).
    Result<> replace_first(const StringList& prefix);

  private:
    Vector<char> text_;
    std::size_t count_ = 0;
};

// A NULL-terminated array of string pointers of the current process.
Result<> copy_in_strings(UserAddr array, StringList& out, std::size_t budget);

// Where a program's stack ends: the last page of the address space is the personality's.
inline constexpr std::uint64_t kStackTop = kUserEnd - kPageSize;
// FreeBSD's struct ps_strings (sys/exec.h), below a word of zeros: where the strings of the program
// are.
struct ProgramStrings {
    UserAddr arguments;
    std::uint32_t argument_count, padding;
    UserAddr environment;
    std::uint32_t environment_count, padding2;
};
static_assert(sizeof(ProgramStrings) == 32);
inline constexpr UserAddr kProgramStrings =
    kStackTop - sizeof(std::uint64_t) - sizeof(ProgramStrings);

// What a personality needs to build the auxiliary vector.
struct StackLayout {
    const ElfImage* image;
    std::uint64_t load_bias;         // added to the image's addresses
    std::uint64_t interpreter_base;  // 0: none
    UserAddr random_bytes;           // 16 of them
    UserAddr platform;               // "x86_64"
    UserAddr path;                   // of the program
    std::uint32_t argument_count, environment_count;
    std::uint64_t stack_size;
};

// Replaces the current process's program. On success the frame of the current thread is the new
// program's; the caller returns to user mode. `start` and `path` as in open. Errors before the
// point of no return; afterwards the process is killed.
Result<> execute(const Actor& actor, Place program, StringList& arguments, StringList& environment);
// The same for an open file (fexecve); `path` is only a name.
Result<> execute_file(const Actor& actor, Ref<File> file, std::string_view path,
                      StringList& arguments, StringList& environment);

}  // namespace skep::kernel
