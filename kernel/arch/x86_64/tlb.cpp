#include <kernel/arch/x86_64/apic.hpp>
#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/arch/x86_64/trap.hpp>
#include <kernel/mm/address_space.hpp>
#include <kernel/mm/kernel_map.hpp>
#include <kernel/mm/vm_map.hpp>
#include <kernel/proc/process.hpp>
#include <kernel/sched/thread_impl.hpp>

#include <utility>

namespace skep::kernel {

namespace {

// One shootdown at a time. Whoever waits has interrupts on and so answers others' requests.
std::atomic<bool> busy;
struct {
    VmMap* map;  // null: the kernel's half
    std::uint64_t start, end;
    std::atomic<std::uint64_t> waiting;  // bit per CPU that has not answered
} request;

constexpr std::uint64_t kWholesale = 64 * kPageSize;

void flush_here(std::uint64_t start, std::uint64_t end) {
    if (end - start > kWholesale) {
        write_cr3(read_cr3());
        return;
    }
    for (std::uint64_t a = start; a < end; a += kPageSize)
        flush_tlb_page(a);
}

// Global entries go only with CR4.PGE (SDM vol. 3, 4.10.4.1).
void flush_all_here() {
    const std::uint64_t cr4 = read_cr4();
    write_cr4(cr4 & ~kCr4Pge);
    write_cr4(cr4);
}

// PreemptOff. Interrupts on: others may be asking at the same time.
void ask_others(VmMap* map, std::uint64_t start, std::uint64_t end, std::uint64_t others) {
    if (!others)
        return;
    while (busy.exchange(true, std::memory_order_acquire))
        pause();
    request.map = map;
    request.start = start;
    request.end = end;
    request.waiting.store(others);
    for (std::uint32_t i = 0; i < cpu_count; i++)
        if (others >> i & 1)
            send_interrupt(*cpus[i], kTlbVector);
    while (request.waiting.load(std::memory_order_acquire))
        pause();
    busy.store(false, std::memory_order_release);
}

void load(Cpu& cpu, VmMap& map) {
    VmMap* previous = cpu.map;
    const std::uint64_t me = std::uint64_t{1} << cpu.number;
    if (previous == &map) {
        if (!std::exchange(cpu.map_idle, false))
            return;
        map.active_cpus.fetch_or(me);
        if (map.changes.load() != cpu.map_changes)  // counted before the bits are read: it is seen
                                                    // here, or this CPU is there
            write_cr3(map.root().value);
        return;
    }
    cpu.map_idle = false;
    Ref<VmMap> counted(&map);
    cpu.map = counted.leak();
    map.active_cpus.fetch_or(me);
    write_cr3(map.root().value);
    if (previous) {
        previous->active_cpus.fetch_and(~me);
        Ref<VmMap>::adopt(previous).reset();
    }
}

}  // namespace

void load_address_space(Cpu& cpu, const Thread& next) {
    if (next.process->map)
        load(cpu, *next.process->map);
}

void leave_address_space(Cpu& cpu) {
    if (!cpu.map || cpu.map_idle)
        return;
    cpu.map_idle = true;
    cpu.map_changes = cpu.map->changes.load();
    cpu.map->active_cpus.fetch_and(~(std::uint64_t{1} << cpu.number));
}

void switch_address_space(VmMap& map) {
    const InterruptsOff off;
    load(this_cpu(), map);
}

void flush_tlb(VmMap& map, std::uint64_t start, std::uint64_t end) {
    const PreemptOff stay;
    std::uint64_t others;
    {
        const InterruptsOff off;
        if (this_cpu().map == &map)
            flush_here(start, end);
        // A full barrier: a CPU that loads the map now either is seen here or sees the tables as
        // they have become.
        map.changes.fetch_add(1);
        others = map.active_cpus.load() & ~(std::uint64_t{1} << this_cpu().number);
    }
    ask_others(&map, start, end, others);
}

void forget_page_here(VmMap& map, std::uint64_t page) {
    const InterruptsOff off;
    if (this_cpu().map == &map)
        flush_tlb_page(page);
}

void flush_kernel_tlb() {
    const PreemptOff stay;
    std::uint64_t others = 0;
    {
        const InterruptsOff off;
        flush_all_here();
        for (std::uint32_t i = 0; i < cpu_count; i++)
            if (i != this_cpu().number)
                others |= std::uint64_t{1} << i;
    }
    ask_others(nullptr, 0, 0, others);
}

void handle_tlb_interrupt() {
    const Cpu& cpu = this_cpu();
    const std::uint64_t me = std::uint64_t{1} << cpu.number;
    if (!(request.waiting.load(std::memory_order_acquire) & me))
        return;
    if (!request.map)
        flush_all_here();
    else if (cpu.map == request.map)
        flush_here(request.start, request.end);
    request.waiting.fetch_and(~me, std::memory_order_release);
}

}  // namespace skep::kernel
