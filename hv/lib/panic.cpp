#include "hv/lib/panic.hpp"

#include "hv/arch/instructions.hpp"
#include "hv/lib/screen.hpp"
#include "hv/lib/symbols.hpp"
#include "hv/memory/layout.hpp"

namespace skep::hv {

void begin_panic() {
    stopping = true;
    text_screen().show(true);
}

void print_backtrace(u64 frame_pointer) {
    for (unsigned depth = 0; depth < 32; ++depth) {
        // Follow only what lies in hv's own image, where all stacks are.
        if (frame_pointer < image_start() || frame_pointer + 16 > image_end() ||
            !is_aligned(frame_pointer, 8))
            break;
        const u64* frame = reinterpret_cast<const u64*>(frame_pointer);
        if (frame[1] == 0)
            break;
        const FunctionName function = function_at(frame[1]);
        log("  at {} {} + {}", Hex{frame[1]}, function.name, Hex{function.offset});
        frame_pointer = frame[0];
    }
}

void stop_with_backtrace(u64 frame_pointer) {
    print_backtrace(frame_pointer);
    stop_other_cpus();
    halt_forever();
}

void print_control_registers() {
    u64 rsp, rflags;
    asm volatile("mov %%rsp, %0" : "=r"(rsp));
    asm volatile("pushfq; pop %0" : "=r"(rflags));
    log("  rsp {} rflags {} cr0 {} cr2 {} cr3 {} cr4 {}", Hex{rsp}, Hex{rflags}, Hex{read_cr0()},
        Hex{read_cr2()}, Hex{read_cr3()}, Hex{read_cr4()});
}

}  // namespace skep::hv
