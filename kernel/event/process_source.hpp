// What the PROCESS and SIGNAL filters (and Linux's signalfd) listen to. process_source.cpp has it
// from kernel/proc.
#pragma once

#include <kernel/base/errno.hpp>
#include <kernel/base/ref.hpp>
#include <kernel/event/source.hpp>

namespace skep::kernel {

// Events of a process's `life`: FreeBSD's NOTE_* numbers.
inline constexpr Events kProcessExit = 0x80000000, kProcessFork = 0x40000000,
                        kProcessExec = 0x20000000;
// Events of its `signals`: one bit per signal; there are 32 at most.
inline constexpr unsigned kSignalEvents = 32;
constexpr Events signal_event(unsigned signal) {
    return signal >= 1 && signal <= kSignalEvents ? Events{1} << (signal - 1) : 0;
}

struct ProcessSources {
    Ref<RefCounted> process;  // keeps them alive
    EventSource* life = nullptr;
    EventSource* signals = nullptr;
    bool ended = false;  // a zombie already
};

// 0: the calling process. Srch.
Result<ProcessSources> process_sources(std::int32_t process);
// As wait4(2) gives it, of one that has ended.
std::uint32_t exit_status_of(RefCounted& process);

}  // namespace skep::kernel
