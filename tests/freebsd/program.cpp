// The program that the interpreter starts.
#include "system.hpp"

namespace bsd {
namespace {

bool tls_is_there() {
    std::uint64_t self, mark;
    asm("mov %%fs:0, %0; mov %%fs:8, %1" : "=r"(self), "=r"(mark));
    EXPECT(self != 0);
    EXPECT_CALL(mark, 0x5ca1ab1e);
    std::uint64_t base = 0;
    EXPECT_CALL(sys(165, 128, &base), 0);  // AMD64_GET_FSBASE
    EXPECT(base == self);
    return true;
}

bool arguments_are_there() {
    EXPECT_CALL(start.argument_count(), 3);
    EXPECT(equal(start.argument(1), "first") && equal(start.argument(2), "second word"));
    EXPECT(start.words[4] == 0);
    return true;
}

}  // namespace

extern "C" void program_main(std::uint64_t* stack, void (*at_exit)()) {
    start.words = stack;
    const Case cases[] = {{"program_tls", tls_is_there},
                          {"program_arguments", arguments_are_there}};
    run_cases(cases, 2);
    at_exit();
    print("end\n");
    exit_with(failures() ? 1 : 42);
}

}  // namespace bsd

asm(R"(
    .globl _start
_start:
    and $-16, %rsp
    call program_main
    ud2
)");
