// What a mapping shows: anonymous memory, a file's pages, guest memory, device pages. The
// page-fault handler asks the object for a page; a file's read() and write() use the same pages, so
// that both always agree.
#pragma once

#include <kernel/base/ref.hpp>
#include <kernel/mm/physical.hpp>

namespace skep::kernel {

// A present page, or a naturally aligned run of them (2^order pages, contiguous and aligned in the
// object and in memory): `frame` is the run's first.
struct ObjectPage {
    PhysAddr frame;
    std::uint8_t order = 0;
    // The frame has a reference count and the receiver owns one reference (release_frame() when it
    // is no longer mapped). Else the object owns the frame for as long as the object lives.
    bool counted = true;
    bool uncached = false;  // device registers
};

class VmObject : public RefCounted {
  public:
    // The page `index` (offset / kPageSize), made present. `write`: it will be written through a
    // shared mapping. Errors: Fault past the object's end (SIGBUS), NoMem, Io.
    virtual Result<ObjectPage> page(std::uint64_t index, bool write) = 0;
};

}  // namespace skep::kernel
