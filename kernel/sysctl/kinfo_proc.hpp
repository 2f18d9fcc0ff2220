// struct kinfo_proc, by which ps(1) and libkvm see a process: sys/user.h of FreeBSD 10 to 14 for
// amd64.
#pragma once

#include <cstddef>
#include <cstdint>

namespace skep::kernel::sysctl {

struct KinfoUsage {  // struct rusage
    std::int64_t user[2], system[2];
    std::int64_t max_resident;  // KiB
    std::int64_t other[13];
};
static_assert(sizeof(KinfoUsage) == 144);

struct KinfoProc {
    std::int32_t size, layout;
    std::uint64_t kernel_pointers[8];  // of FreeBSD's own structures: none
    std::int32_t process, parent, group, terminal_group, session, terminal_session;
    std::int16_t job_control, spare_short1;
    std::uint32_t terminal_freebsd11;
    std::uint32_t pending[4], mask[4], ignored[4], caught[4];
    std::uint32_t effective_user, real_user, saved_user;
    std::uint32_t real_group, saved_group;
    std::int16_t group_count, spare_short2;
    std::uint32_t groups[16];
    std::uint64_t mapped_bytes;
    std::int64_t resident_pages, resident_before_swap, text_pages, data_pages, stack_pages;
    std::uint16_t exit_status, accounting;
    std::uint32_t cpu_percent, cpu_estimate, sleep_seconds, resident_seconds, copy_faults;
    std::uint64_t run_microseconds;
    std::int64_t start[2], children_time[2];
    std::int64_t flags, kernel_flags;
    std::int32_t trace_flags;
    std::int8_t state, nice, lock, queue_index;
    std::uint8_t old_cpu, old_last_cpu;
    char thread_name[17], wait_message[9], login[18], lock_name[9], command[20], emulation[17],
        login_class[18], more_thread_name[4];
    char spare_strings[46];
    std::int32_t spare_ints[2];
    std::uint64_t terminal;
    std::int32_t cpu, last_cpu, tracer, flags2, network;
    std::uint32_t credential_flags;
    std::int32_t jail, thread_count, thread;
    std::uint8_t priority[4];
    KinfoUsage usage, children_usage;
    std::uint64_t kernel_pointers2[5], spare_pointers[5];
    std::int64_t spare_longs[12];
    std::int64_t stop_flags, thread_flags;
};
static_assert(sizeof(KinfoProc) == 1088);
static_assert(offsetof(KinfoProc, process) == 72 && offsetof(KinfoProc, effective_user) == 168 &&
              offsetof(KinfoProc, mapped_bytes) == 256);
static_assert(offsetof(KinfoProc, start) == 336 && offsetof(KinfoProc, state) == 388 &&
              offsetof(KinfoProc, thread_name) == 394);
static_assert(offsetof(KinfoProc, command) == 447 && offsetof(KinfoProc, spare_ints) == 552 &&
              offsetof(KinfoProc, terminal) == 560);
static_assert(offsetof(KinfoProc, thread) == 600 && offsetof(KinfoProc, usage) == 608 &&
              offsetof(KinfoProc, stop_flags) == 1072);

// sys/proc.h: p_flag and p_stat.
inline constexpr std::int64_t kProcessHasTerminal = 0x2, kProcessInMemory = 0x1000'0000,
                              kProcessExecuted = 0x4000;
inline constexpr std::int64_t kTerminalActive = 1, kSessionLeader = 2;  // KI_CTTY, KI_SLEADER
inline constexpr std::int64_t kThreadInterruptible = 0x8;               // TDF_SINTR, of a sleep
enum class KinfoState : std::int8_t {
    Run = 2,
    Sleep = 3,
    Stop = 4,
    Zombie = 5
};

// Written for a device number: no terminal (NODEV).
inline constexpr std::uint64_t kNoDevice = ~std::uint64_t{0};

}  // namespace skep::kernel::sysctl
