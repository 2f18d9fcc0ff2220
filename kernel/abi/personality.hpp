// How a kind of program talks to the kernel. One constant object per personality; a process points
// at its own.
#pragma once

#include <kernel/abi/syscall.hpp>
#include <kernel/arch/x86_64/trap.hpp>
#include <kernel/proc/elf.hpp>
#include <kernel/proc/signal_state.hpp>

namespace skep::kernel {

class Process;
class Thread;
class VmMap;

struct StackLayout;  // kernel/proc/exec.hpp

struct Personality {
    const char* name;
    // Whether the program is of this kind.
    bool (*recognizes)(const ElfImage& image);
    // By number; null: no such call.
    const Syscall* (*find_syscall)(std::uint64_t number);
    // Number and arguments from the frame; the result, or the error, into it.
    std::uint64_t (*syscall_number)(const TrapFrame& frame, std::uint64_t (&arguments)[6]);
    void (*set_result)(TrapFrame& frame, const Result<std::uint64_t>& result);
    // The frame as it was before the call, so that returning makes it again.
    void (*restart_syscall)(TrapFrame& frame);
    // Adds what every program of the kind finds in its new address space, and says what it may do
    // there; may be null. The last page below kUserEnd is the personality's.
    Result<> (*prepare_map)(VmMap& map, const ElfImage& image);
    // The registers and the stack's auxiliary vector of a new program.
    void (*start_program)(TrapFrame& frame, UserAddr stack);
    std::size_t (*auxiliary_vector)(const StackLayout& layout, std::uint64_t (*pairs)[2],
                                    std::size_t capacity);
    // Builds the frame of a handler on the user stack and points the registers at it. Errors:
    // Fault.
    Result<> (*push_signal_frame)(TrapFrame& frame, const SignalInfo& info,
                                  const SignalAction& action, const SignalSet& mask);
    // The calling thread ends, or its program: who waits for a robust lock of it is told. Believes
    // nothing of what the lists say.
    void (*release_robust_locks)(Thread& thread);
};

// NoSys, with one rate-limited line in the log.
Result<std::uint64_t> unknown_syscall(const Personality& personality, std::uint64_t number);

extern const Personality freebsd_personality, linux_personality;
const Personality* find_personality(const ElfImage& image);

}  // namespace skep::kernel
