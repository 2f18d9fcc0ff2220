#include <kernel/abi/linux/tables.hpp>

#include <kernel/base/log.hpp>

#include <array>

namespace skep::kernel::linux_abi {

namespace {

const std::span<const Syscall>* const kTables[] = {
    &process_calls, &identity_calls,  &thread_calls, &futex_calls,  &memory_calls,
    &signal_calls,  &time_calls,      &timer_calls,  &system_calls, &file_calls,
    &path_calls,    &attribute_calls, &event_calls,  &socket_calls,
};

constexpr std::size_t kNumbers = 512;
std::array<const Syscall*, kNumbers> by_number;

}  // namespace

void init_tables() {
    for (const auto* table : kTables)
        for (const Syscall& call : *table) {
            if (call.number >= kNumbers || by_number[call.number])
                panic("Linux system call {} ({}) is out of range or listed twice", call.number,
                      call.name);
            by_number[call.number] = &call;
        }
}

const Syscall* find_syscall(std::uint64_t number) {
    return number < kNumbers ? by_number[number] : nullptr;
}

}  // namespace skep::kernel::linux_abi
