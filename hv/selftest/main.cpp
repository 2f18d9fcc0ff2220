// Runs the self-tests (options.hpp: which) and ends the machine: exit status 33 of QEMU
// (isa-debug-exit) if all passed.
#include "hv/arch/instructions.hpp"
#include "hv/selftest/check.hpp"
#include "hv/selftest/cpus.hpp"
#include "hv/selftest/hypercalls.hpp"
#include "hv/selftest/machine.hpp"
#include "hv/selftest/options.hpp"

extern "C" {
extern void (*init_array_start[])();
extern void (*init_array_end[])();
extern const char read_guarded[], read_guarded_fault[], try_failed[];
extern skep::hv::u64 try_stack, try_result;
}

namespace skep::hv::selftest {

namespace {

Test* first = nullptr;
Test* last = nullptr;
unsigned failed_checks = 0;

}  // namespace

Test::Test(const char* test_name, void (*body)()) : name(test_name), run(body) {
    (last != nullptr ? last->next : first) = this;
    last = this;
}

void fail_check(const char* file, int line, const char* what, u64 left, u64 right) {
    ++failed_checks;
    print("  {}:{}: {} does not hold ({} {})", file, line, what, Hex{left}, Hex{right});
}

struct Frame {
    u64 vector, error_code, rip, cs, rflags, rsp, ss;
};

extern "C" void selftest_exception(Frame& frame) {
    if (frame.rip == reinterpret_cast<u64>(read_guarded)) {
        frame.rip = reinterpret_cast<u64>(read_guarded_fault);
        return;
    }
    if (try_stack != 0 && frame.vector != 32 && frame.vector != 2) {
        try_result = frame.vector + 1;
        frame.rip = reinterpret_cast<u64>(try_failed);
        frame.rsp = try_stack;
        frame.cs = 0x08;
        frame.ss = 0x10;
        return;
    }
    if (frame.vector == 32)
        end_tick();
    if (frame.vector == 32 || frame.vector == 2)
        return;
    print("hv-selftest: exception {} error {} at {} CR2 {}", frame.vector, Hex{frame.error_code},
          Hex{frame.rip}, Hex{read_cr2()});
    end(1);
}

extern "C" void selftest_main() {
    set_up_machine();
    read_options();
    for (auto* constructor = init_array_start; constructor != init_array_end; ++constructor)
        (*constructor)();
    unsigned passed = 0, failed = 0;
    for (Test* test = first; test != nullptr; test = test->next) {
        if (!is_wanted(test->name))
            continue;
        failed_checks = 0;
        const u64 start = read_tsc();
        test->run();
        const u64 ticks = read_tsc() - start;
        ++(failed_checks == 0 ? passed : failed);
        print("{} {} ({} k ticks)", failed_checks == 0 ? "ok  " : "FAIL", test->name, ticks / 1000);
    }
    print("hv-selftest: {} passed, {} failed", passed, failed);
    end(failed);
}

}  // namespace skep::hv::selftest
