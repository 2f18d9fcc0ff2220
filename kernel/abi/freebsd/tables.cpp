#include <kernel/abi/freebsd/tables.hpp>

#include <kernel/base/log.hpp>

#include <array>

namespace skep::kernel::freebsd_abi {

namespace {

const std::span<const Syscall>* const kTables[] = {
    &process_calls,  &process_control_calls,
    &identity_calls, &thread_calls,
    &memory_calls,   &signal_calls,
    &time_calls,     &timer_calls,
    &system_calls,   &file_calls,
    &path_calls,     &old_path_calls,
    &mount_calls,    &shared_memory_calls,
    &event_calls,    &socket_calls,
    &sysv_calls,
};

constexpr std::size_t kNumbers = 640;
std::array<const Syscall*, kNumbers> by_number;

}  // namespace

void init_tables() {
    for (const auto* table : kTables)
        for (const Syscall& call : *table) {
            if (call.number >= kNumbers || by_number[call.number])
                panic("FreeBSD system call {} ({}) is out of range or listed twice", call.number,
                      call.name);
            by_number[call.number] = &call;
        }
}

const Syscall* find_syscall(std::uint64_t number) {
    return number < kNumbers ? by_number[number] : nullptr;
}

}  // namespace skep::kernel::freebsd_abi
