#include <kernel/base/log.hpp>

#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/arch/x86_64/percpu.hpp>
#include <kernel/arch/x86_64/serial.hpp>
#include <kernel/arch/x86_64/trap.hpp>
#include <kernel/base/format.hpp>
#include <kernel/sync/spinlock.hpp>

#include <array>

namespace skep::kernel {

namespace {

SpinLock log_lock("log");
std::atomic<bool> panicking;

// With log_lock held.
unsigned holds = 0;
std::array<char, 2048> waiting;  // whole lines
std::size_t waiting_size = 0;

void write_waiting() {
    serial_write({waiting.data(), waiting_size});
    waiting_size = 0;
}

std::string_view format_line(std::span<char> buffer, std::string_view prefix,
                             std::string_view format, const LogArgument* arguments,
                             unsigned count) {
    std::size_t size = prefix.copy(buffer.data(), buffer.size());
    size +=
        format_arguments(buffer.subspan(size, buffer.size() - size - 1), format, arguments, count);
    buffer[size++] = '\n';
    return {buffer.data(), size};
}

}  // namespace

void log_line(std::string_view format, const LogArgument* arguments, unsigned count) {
    std::array<char, 256> buffer;
    const std::string_view line = format_line(buffer, "kernel: ", format, arguments, count);
    if (panicking) {  // the lock's holder may be the one that died
        serial_write(line);
        return;
    }
    SpinGuard guard(log_lock);
    if (holds && line.size() <= waiting.size() - waiting_size) {
        waiting_size += line.copy(waiting.data() + waiting_size, line.size());
        return;
    }
    write_waiting();  // none is lost; at worst they are in somebody's line
    serial_write(line);
}

LogHold::LogHold() {
    SpinGuard guard(log_lock);
    holds++;
}

LogHold::~LogHold() {
    SpinGuard guard(log_lock);
    if (--holds == 0 && !panicking)
        write_waiting();
}

void panic_line(std::string_view format, const LogArgument* arguments, unsigned count) {
    disable_interrupts();
    if (!panicking.exchange(true)) {
        std::array<char, 256> buffer;
        write_waiting();
        serial_write(format_line(buffer, "\nkernel: PANIC: ", format, arguments, count));
        print_backtrace(reinterpret_cast<std::uint64_t>(__builtin_return_address(0)),
                        reinterpret_cast<std::uint64_t>(__builtin_frame_address(0)));
        stop_other_cpus();
    }
    for (;;)
        asm volatile("cli; hlt");
}

}  // namespace skep::kernel
