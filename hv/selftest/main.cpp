// Runs every self-test and ends the machine: exit status 33 of QEMU (isa-debug-exit) if all passed.
#include "hv/arch/instructions.hpp"
#include "hv/selftest/check.hpp"
#include "hv/selftest/cpus.hpp"
#include "hv/selftest/hypercalls.hpp"

extern "C" {
extern const skep::hv::u64 vector_addresses[33];
extern skep::hv::u64 idt[];
extern void (*init_array_start[])();
extern void (*init_array_end[])();
extern const char read_guarded[], read_guarded_fault[];
}

namespace skep::hv::selftest {

namespace {

Test* first = nullptr;
Test* last = nullptr;
unsigned failed_checks = 0;

void build_idt() {
    for (unsigned i = 0; i < 33; ++i) {
        const u64 handler = vector_addresses[i];
        idt[2 * i] = (handler & 0xffff) | 8 << 16 | u64{0x8e00} << 32 | (handler >> 16) << 48;
        idt[2 * i + 1] = 0;
    }
}

bool find_hv() {
    const CpuidResult leaf = cpuid(abi::kCpuidSignatureLeaf);
    if (leaf.ebx != abi::kCpuidSignature || leaf.ecx != leaf.ebx || leaf.edx != leaf.ebx)
        return false;
    const CpuidResult vendor = cpuid(0);
    on_amd = vendor.ebx != 0x756e'6547;  // "Genu"
    return true;
}

[[noreturn]] void end(unsigned failed) {
    // QEMU's isa-debug-exit, else ACPI S5 of QEMU's and Bochs' PIIX4, else nothing.
    out8(0xf4, failed == 0 ? 16 : 1);
    asm volatile("outw %0, %1" : : "a"(static_cast<u16>(0x2000)), "Nd"(static_cast<u16>(0xb004)));
    asm volatile("outw %0, %1" : : "a"(static_cast<u16>(0x2000)), "Nd"(static_cast<u16>(0x604)));
    // Bochs' shutdown port.
    for (const char c : {'S', 'h', 'u', 't', 'd', 'o', 'w', 'n'})
        out8(0x8900, static_cast<u8>(c));
    halt_forever();
}

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
    if (frame.vector == 32 || frame.vector == 2)
        return;
    print("hv-selftest: exception {} error {} at {} CR2 {}", frame.vector, Hex{frame.error_code},
          Hex{frame.rip}, Hex{read_cr2()});
    end(1);
}

extern "C" void selftest_main() {
    init_serial();
    build_idt();
    // The firmware's 8259 timer would end every stay in a guest.
    out8(0x21, 0xff);
    out8(0xa1, 0xff);
    for (auto* constructor = init_array_start; constructor != init_array_end; ++constructor)
        (*constructor)();
    if (!find_hv()) {
        print("hv-selftest: hv is not there");
        end(1);
    }
    unsigned passed = 0, failed = 0;
    for (Test* test = first; test != nullptr; test = test->next) {
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
