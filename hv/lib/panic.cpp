#include "hv/lib/panic.hpp"

#include "hv/arch/instructions.hpp"
#include "hv/memory/layout.hpp"

namespace skep::hv {

void stop_with_backtrace(u64 frame_pointer) {
    for (unsigned depth = 0; depth < 32; ++depth) {
        // Follow only what lies in hv's own image, where all stacks are.
        if (frame_pointer < image_start() || frame_pointer + 16 > image_end() ||
            !is_aligned(frame_pointer, 8))
            break;
        const u64* frame = reinterpret_cast<const u64*>(frame_pointer);
        if (frame[1] == 0)
            break;
        log("  at {}", Hex{frame[1]});
        frame_pointer = frame[0];
    }
    halt_forever();
}

}  // namespace skep::hv
