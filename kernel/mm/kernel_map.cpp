#include <kernel/mm/kernel_map.hpp>

#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/base/checks.hpp>
#include <kernel/base/log.hpp>
#include <kernel/base/vector.hpp>
#include <kernel/mm/address_space.hpp>
#include <kernel/mm/layout.hpp>
#include <kernel/mm/vm_map.hpp>
#include <kernel/sched/thread.hpp>
#include <kernel/sync/wait.hpp>

#include <algorithm>
#include <array>
#include <cstring>

extern "C" char text_start[], text_end[], rodata_end[], image_end[];

namespace skep::kernel {

namespace {

PageTable table;
SpinLock map_lock("kernel map");
std::uint64_t next_device = kDeviceBase;
std::uint64_t next_stack = kStackBase;
// Stacks that were freed keep their frames until the reaper comes; each holds the next one's top in
// its last word.
std::uint64_t free_stacks, free_stack_count;
constexpr std::uint64_t kKeptStacks = 32, kReapAt = 64;
constexpr std::uint64_t kStackSlot = 2 * kKernelStackSize;  // the lower part is never mapped
Vector<std::uint64_t> empty_slots;                          // tops whose frames are gone
WaitQueue reaper_wait;

constexpr std::uint64_t kKernelData =
    Pte::kPresent | Pte::kWrite | Pte::kGlobal | Pte::kNoExecute | Pte::kAccessed | Pte::kDirty;

void must(Result<Pte*> pte, std::uint64_t value) {
    if (!pte)
        panic("no memory for the kernel's page tables");
    (*pte)->value = value;
}

void map_image() {
    const auto text = reinterpret_cast<std::uint64_t>(text_start),
               text_last = reinterpret_cast<std::uint64_t>(text_end),
               rodata_last = reinterpret_cast<std::uint64_t>(rodata_end),
               end = reinterpret_cast<std::uint64_t>(image_end);
    for (std::uint64_t a = text; a < end; a += kPageSize) {
        std::uint64_t flags = kKernelData;
        if (a < text_last)
            flags = Pte::kPresent | Pte::kGlobal | Pte::kAccessed;
        else if (a < rodata_last)
            flags = Pte::kPresent | Pte::kGlobal | Pte::kNoExecute | Pte::kAccessed;
        must(table.make(a, 1), (a - kImageBase) | flags);
    }
}

// Text and constants cannot be written through the direct map either.
void map_directly(std::uint64_t end) {
    const auto first = reinterpret_cast<std::uint64_t>(text_start) - kImageBase,
               last = reinterpret_cast<std::uint64_t>(rodata_end) - kImageBase;
    for (std::uint64_t a = 0; a < end; a += kLargePageSize) {
        if (a + kLargePageSize <= first || a >= last) {
            must(table.make(kDirectMapBase + a, 2), a | kKernelData | Pte::kLarge);
            continue;
        }
        for (std::uint64_t page = a; page < a + kLargePageSize; page += kPageSize)
            must(table.make(kDirectMapBase + page, 1),
                 page | (page >= first && page < last ? kKernelData & ~Pte::kWrite : kKernelData));
    }
}

// In test builds: nothing that can be executed can be written, at whatever address.
void check_write_xor_execute() {
    const auto text = reinterpret_cast<std::uint64_t>(text_start) - kImageBase,
               text_last = reinterpret_cast<std::uint64_t>(text_end) - kImageBase;
    table.for_each(kDirectMapBase, 0, [&](std::uint64_t address, Pte& pte, int level) {
        const std::uint64_t frame = pte.address().value;
        const bool is_text = frame < text_last && frame + PageTable::level_size(level) > text;
        if (pte.present() && pte.writable() && (is_text || !(pte.value & Pte::kNoExecute)))
            panic("the kernel's page at {:x} is writable and executable", address);
    });
}

}  // namespace

void init_kernel_map(PhysAddr ram_end) {
    auto root = allocate_frames(0);
    if (!root)
        panic("no memory for the kernel's page tables");
    std::memset(direct_map(*root), 0, kPageSize);
    table = PageTable(*root);

    // Device registers below 4 GiB are covered as well: the MTRRs make them uncached, and ACPI
    // tables need it.
    const std::uint64_t end = std::max(ram_end.value, std::uint64_t{4} << 30);
    if (end > kDirectMapEnd - kDirectMapBase)
        panic("more than 512 GiB of address space for RAM is not supported");
    map_directly(end);
    map_image();
    if constexpr (kKernelChecks)
        check_write_xor_execute();
    // The slots that grow later must exist in every address space from the start.
    must(table.make(kDeviceBase, 1), 0);
    must(table.make(kStackBase, 1), 0);
    write_cr3(table.root().value);
}

const PageTable& kernel_page_table() {
    return table;
}

Result<PhysAddr> make_top_level_table() {
    const PhysAddr root = SKEP_TRY(allocate_frames(0));
    auto* to = static_cast<char*>(direct_map(root));
    std::memset(to, 0, kPageSize / 2);
    std::memcpy(to + kPageSize / 2, static_cast<char*>(direct_map(table.root())) + kPageSize / 2,
                kPageSize / 2);
    return root;
}

namespace {

Result<volatile void*> map_uncounted(PhysAddr address, std::size_t size, std::uint64_t type) {
    const std::uint64_t first = address.value & ~(kPageSize - 1);
    const std::uint64_t pages = (address.value + size - first + kPageSize - 1) / kPageSize;
    SpinGuard guard(map_lock);
    const std::uint64_t base = next_device;
    if (pages > (kDeviceEnd - base) / kPageSize)
        return fail(Errno::NoMem);
    next_device += pages * kPageSize;
    for (std::uint64_t i = 0; i < pages; i++) {
        Pte* pte = SKEP_TRY(table.make(base + i * kPageSize, 1));
        pte->value = (first + i * kPageSize) | kKernelData | type;
    }
    return reinterpret_cast<volatile void*>(base + (address.value - first));
}

}  // namespace

Result<volatile void*> map_device(PhysAddr address, std::size_t size) {
    return map_uncounted(address, size, Pte::kCacheDisable | Pte::kWriteThrough);
}

Result<volatile void*> map_write_combining(PhysAddr address, std::size_t size) {
    return map_uncounted(address, size, Pte::kPat);
}

namespace {

std::uint64_t take_free_stack() {
    const std::uint64_t top = free_stacks;
    if (top) {
        free_stacks = reinterpret_cast<std::uint64_t*>(top)[-1];
        free_stack_count--;
    }
    return top;
}

// A batch: absent for every CPU before the frames are anyone else's.
void reap_stacks() {
    std::array<std::uint64_t, 32> tops;
    std::size_t count = 0;
    {
        const SpinGuard guard(map_lock);
        while (count < tops.size() && free_stack_count > kKeptStacks)
            tops[count++] = take_free_stack();
    }
    constexpr std::size_t kPages = kKernelStackSize / kPageSize;
    std::array<PhysAddr, 32 * kPages> frames;
    std::size_t frame_count = 0;
    for (std::size_t i = 0; i < count; i++)
        for (std::uint64_t a = tops[i] - kKernelStackSize; a < tops[i]; a += kPageSize) {
            Pte* pte = table.find(a);
            frames[frame_count++] = pte->address();
            pte->value = 0;
        }
    flush_kernel_tlb();
    for (std::size_t i = 0; i < frame_count; i++)
        free_frames(frames[i], 0);
    const SpinGuard guard(map_lock);
    for (std::size_t i = 0; i < count; i++)
        (void)empty_slots.push_back(tops[i]);  // without memory the addresses are lost, no more
}

}  // namespace

void start_stack_reaper() {
    auto started = start_kernel_thread(
        "reaper",
        [](void*) {
            for (;;) {
                {
                    SpinGuard guard(map_lock);
                    while (free_stack_count < kReapAt)
                        (void)reaper_wait.wait(guard, Sleep::Uninterruptible);
                }
                reap_stacks();
            }
        },
        nullptr);
    if (!started)
        panic("no memory for the stack reaper");
}

Result<std::uint64_t> allocate_kernel_stack() {
    SpinGuard guard(map_lock);
    if (const std::uint64_t top = take_free_stack())
        return top;
    const bool fresh = empty_slots.empty();
    if (fresh && next_stack + kStackSlot > kStackEnd)
        return fail(Errno::NoMem);
    const std::uint64_t top = fresh ? next_stack + kStackSlot : empty_slots.back();
    for (std::uint64_t a = top - kKernelStackSize; a < top; a += kPageSize) {
        Result<Pte*> pte = table.make(a, 1);
        Result<PhysAddr> frame = pte ? allocate_frames(0) : fail(Errno::NoMem);
        if (!frame) {  // the slot stays; give back what it got so far
            while (a > top - kKernelStackSize) {
                a -= kPageSize;
                Pte* made = table.find(a);
                free_frames(made->address(), 0);
                made->value = 0;
            }
            return fail(Errno::NoMem);
        }
        (*pte)->value = frame->value | kKernelData;
    }
    if (fresh)
        next_stack += kStackSlot;
    else
        (void)empty_slots.pop_back();
    return top;
}

void free_kernel_stack(std::uint64_t top) {
    SpinGuard guard(map_lock);
    reinterpret_cast<std::uint64_t*>(top)[-1] = free_stacks;
    free_stacks = top;
    if (++free_stack_count == kReapAt) {
        guard.unlock();
        reaper_wait.wake_one();
    }
}

}  // namespace skep::kernel
