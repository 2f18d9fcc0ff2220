// The machine's frames: the frame records, the allocator over them, the direct map.
#include <kernel/mm/physical.hpp>

#include <kernel/base/log.hpp>
#include <kernel/boot/multiboot2.hpp>
#include <kernel/mm/buddy.hpp>
#include <kernel/mm/init.hpp>
#include <kernel/mm/kernel_map.hpp>
#include <kernel/mm/layout.hpp>

#include <algorithm>
#include <cstring>

extern "C" char image_physical_start[], image_end[];

namespace skep::kernel {

namespace {

Buddy buddy;
Frame* frames;
std::size_t frame_count;

// Frames kept for the kernel: this share of all, at most 16 MiB.
constexpr std::uint64_t kReserveShare = 64, kReserveMost = 4096;
constexpr std::uint64_t kFourGiB = std::uint64_t{4} << 30;
constexpr std::uint64_t kLowMemoryEnd = 1 << 20;  // real-mode structures, the AP trampoline

constexpr std::uint64_t page_down(std::uint64_t a) {
    return a & ~(kPageSize - 1);
}
constexpr std::uint64_t page_up(std::uint64_t a) {
    return page_down(a + kPageSize - 1);
}

// What must not be handed out although it is RAM, sorted by address.
struct ReservedList {
    std::array<MemoryRange, 12> ranges;
    std::size_t count = 0;
    void add(PhysAddr start, PhysAddr end) {
        if (count < ranges.size())
            ranges[count++] = {{page_down(start.value)}, {page_up(end.value)}};
    }
    void sort() {
        std::sort(ranges.begin(), ranges.begin() + count,
                  [](const MemoryRange& a, const MemoryRange& b) { return a.start < b.start; });
    }
};

// Calls use(start, end) for each part of `range` that no reserved range touches.
template <typename Use>
void for_each_free(MemoryRange range, const ReservedList& reserved, Use use) {
    std::uint64_t start = page_up(range.start.value);
    const std::uint64_t end = page_down(range.end.value);
    for (std::size_t i = 0; i < reserved.count && start < end; i++) {
        const MemoryRange& r = reserved.ranges[i];
        if (r.end.value <= start || r.start.value >= end)
            continue;
        if (r.start.value > start)
            use(start, r.start.value);
        start = r.end.value;
    }
    if (start < end)
        use(start, end);
}

}  // namespace

void* direct_map(PhysAddr address) {
    return reinterpret_cast<void*>(kDirectMapBase + address.value);
}
PhysAddr direct_map_to_physical(const void* pointer) {
    return {reinterpret_cast<std::uint64_t>(pointer) - kDirectMapBase};
}

Frame* frame_of(PhysAddr address) {
    const std::uint64_t number = address.value / kPageSize;
    return number < frame_count ? &frames[number] : nullptr;
}
PhysAddr address_of(const Frame& frame) {
    return {static_cast<std::uint64_t>(&frame - frames) * kPageSize};
}

Result<PhysAddr> allocate_frames(unsigned order) {
    return PhysAddr{SKEP_TRY(buddy.allocate(order)) * kPageSize};
}
void free_frames(PhysAddr address, unsigned order) {
    buddy.free(address.value / kPageSize, order);
}
MemoryUse memory_use() {
    return buddy.use();
}

Result<PhysAddr> allocate_user_frame() {
    const MemoryUse use = buddy.use();
    if (use.free_frames < std::min<std::uint64_t>(use.total_frames / kReserveShare, kReserveMost))
        return fail(Errno::NoMem);
    return allocate_frames(0);
}

Result<PhysAddr> allocate_zeroed_frame() {
    const PhysAddr frame = SKEP_TRY(allocate_user_frame());
    std::memset(direct_map(frame), 0, kPageSize);
    return frame;
}
void retain_frame(PhysAddr frame) {
    frame_of(frame)->uses.fetch_add(1, std::memory_order_relaxed);
}
void release_frame(PhysAddr frame) {
    Frame* record = frame_of(frame);
    if (record->uses.fetch_sub(1, std::memory_order_acq_rel) == 1 &&
        record->kind != FrameKind::Reserved)
        free_frames(frame, 0);
}

void init_physical_memory(const BootInformation& boot) {
    ReservedList reserved;
    reserved.add({0}, {kLowMemoryEnd});
    reserved.add({reinterpret_cast<std::uint64_t>(image_physical_start)},
                 {reinterpret_cast<std::uint64_t>(image_end) - kImageBase});
    reserved.add(boot.itself.start, boot.itself.end);
    for (std::size_t i = 0; i < boot.module_count; i++)
        reserved.add(boot.modules[i].start, boot.modules[i].end);
    reserved.sort();

    std::uint64_t ram_end = 0;
    for (std::size_t i = 0; i < boot.available_count; i++)
        ram_end = std::max(ram_end, boot.available[i].end.value);
    frame_count = ram_end / kPageSize;
    const std::uint64_t records_size = page_up(frame_count * sizeof(Frame));

    // The records go to the first gap below 4 GiB (all that the boot tables map) that holds them.
    std::uint64_t records = 0;
    for (std::size_t i = 0; i < boot.available_count; i++)
        for_each_free(boot.available[i], reserved, [&](std::uint64_t start, std::uint64_t end) {
            end = std::min(end, kFourGiB);
            if (records == 0 && start < end && end - start >= records_size)
                records = start;
        });
    if (records == 0)
        panic("no room for {} bytes of frame records", records_size);
    reserved.add({records}, {records + records_size});
    reserved.sort();
    frames = static_cast<Frame*>(direct_map({records}));
    std::memset(static_cast<void*>(frames), 0, records_size);
    buddy.init({frames, frame_count});

    // Below 4 GiB first: the page tables that map the rest come from there.
    auto add = [&](std::uint64_t from, std::uint64_t to) {
        for (std::size_t i = 0; i < boot.available_count; i++)
            for_each_free(boot.available[i], reserved, [&](std::uint64_t start, std::uint64_t end) {
                start = std::max(start, from);
                end = std::min(end, to);
                if (start < end)
                    buddy.add(start / kPageSize, end / kPageSize);
            });
    };
    add(0, kFourGiB);
    init_kernel_map({ram_end});
    add(kFourGiB, ~std::uint64_t{0} & ~(kPageSize - 1));
}

void free_boot_memory(PhysAddr start, PhysAddr end) {
    if (page_up(start.value) < page_down(end.value))
        buddy.add(page_up(start.value) / kPageSize, page_down(end.value) / kPageSize);
}

}  // namespace skep::kernel
