// Waiting for several files at once: poll(2) and select(2).
#pragma once

#include <kernel/vfs/file.hpp>

#include <span>

namespace skep::kernel {

struct PollItem {
    Ref<File> file;       // null: never ready
    Events interest = 0;  // kError and kHangup always count
    Events result = 0;
};

// Sleeps until one is ready or the deadline has come (0: does not sleep). -> how many are. Intr,
// NoMem.
Result<std::size_t> poll_files(std::span<PollItem> items, Nanoseconds deadline);

}  // namespace skep::kernel
