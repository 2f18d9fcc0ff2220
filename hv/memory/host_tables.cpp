#include "hv/memory/host_tables.hpp"

#include "hv/arch/instructions.hpp"
#include "hv/cpu/cpu.hpp"
#include "hv/lib/panic.hpp"
#include "hv/memory/layout.hpp"
#include "hv/memory/ownership.hpp"
#include "hv/memory/pool_memory.hpp"

#include <optional>

extern "C" const skep::hv::u8 text_end[], rodata_end[];

namespace skep::hv {

namespace {

// SDM vol. 3, 4.5; leaves are global (bit 8), accessed and dirty.
TableFormat host_format{
    .readable = 1,
    .writable = 2,
    .executable = 0,
    .not_executable = u64{1} << 63,
    .leaf = 1 << 5 | 1 << 6 | 1 << 8,
    .table = 3,
    .present = 1,
    .memory_type_shift = 0,
    .large_1g = false,
};

constexpr u64 kLow4G = u64{4} << 30;
constexpr u32 kCpuid1GPages = 1u << 26;  // leaf 0x80000001, EDX

alignas(PageTable<PoolMemory>) u8 storage[sizeof(PageTable<PoolMemory>)];
Hpa root;

// The tables index by the low 48 bits.
u64 low48(u64 address) {
    return address & (PageTable<PoolMemory>::kAddressLimit - 1);
}

void map(PageTable<PoolMemory>& tables, u64 base, Hpa target, u64 size, u32 protection) {
    if (size == 0)
        return;
    if (!tables.map(low48(base), target, size, protection, MemoryType::WriteBack))
        panic("cannot map {} bytes at {}", size, Hex{base});
}

void map_direct(PageTable<PoolMemory>& tables, u64 start, u64 end) {
    if (start < end)
        map(tables, kDirectMap + start, Hpa{start}, end - start, abi::kRead | abi::kWrite);
}

}  // namespace

void host_tables_build() {
    host_format.large_1g = (cpuid(0x8000'0001).edx & kCpuid1GPages) != 0;
    auto& tables = *new (storage) PageTable<PoolMemory>(host_format, pool_memory());
    if (!tables.create())
        panic("no frame for page tables");
    root = tables.root();

    const u64 text = image_start();
    const u64 rodata = reinterpret_cast<u64>(text_end), data = reinterpret_cast<u64>(rodata_end);
    map(tables, text, physical(reinterpret_cast<void*>(text)), rodata - text,
        abi::kRead | abi::kExecute);
    map(tables, rodata, physical(text_end), data - rodata, abi::kRead);
    map(tables, data, physical(rodata_end), image_end() - data, abi::kRead | abi::kWrite);
    for (unsigned i = 0; i < kMaxCpus; ++i) {
        if (!tables.unmap(low48(reinterpret_cast<u64>(cpu_stacks[i])), kPageSize))
            panic("no frame for a guard page");
    }

    // hv's image is reached through the image's mapping alone.
    map_direct(tables, 0, kHvBase.value);
    map_direct(tables, kHvBase.value + kImageSize, kLow4G);
    u64 mapped = kLow4G;
    for (;;) {
        // In order of address, whole GiB, each once.
        u64 next = ~u64{0}, end = 0;
        ownership().for_each_ram_range([&](u64 range_base, u64 range_end) {
            if (range_end > mapped && range_base < next) {
                next = range_base;
                end = range_end;
            }
        });
        if (end == 0)
            break;
        const u64 start = next > mapped ? align_down(next, kPageSize1G) : mapped;
        end = align_up(end, kPageSize1G);
        map_direct(tables, start, end);
        mapped = end;
    }
}

void host_tables_activate() {
    write_cr3(root.value);
}

}  // namespace skep::hv
