#include "hv/root/identity_map.hpp"

#include "hv/cpu/backend.hpp"
#include "hv/cpu/features.hpp"
#include "hv/lib/panic.hpp"
#include "hv/memory/layout.hpp"
#include "hv/memory/ownership.hpp"
#include "hv/memory/pool_memory.hpp"
#include "hv/root/memory_types.hpp"

#include <algorithm>
#include <new>

namespace skep::hv {

namespace {

alignas(Tables) u8 storage[sizeof(Tables)];
constinit PoolMemory memory(0);
Hpa root;
Spinlock changes;

Tables& identity() {
    return *std::launder(reinterpret_cast<Tables*>(storage));
}

bool has(Hpa base, u64 size) {
    for (u64 at = base.value; at < base.value + size;) {
        const auto mapping = identity().lookup(at);
        if (!mapping)
            return false;
        at = align_down(at, mapping->size) + mapping->size;
    }
    return true;
}

// All of physical memory costs one table per 512 GiB with 1 GiB pages; without them one per GiB,
// and then 512 GiB have to do.
u64 top() {
    const u64 all = u64{1} << std::min(physical_bits(), 46u);
    return backend().table_format().large_1g ? all : std::min(all, u64{512} << 30);
}

void map(Tables& tables, u64 start, u64 end, MemoryType type) {
    if (start >= end)
        return;
    constexpr u32 kAll = abi::kRead | abi::kWrite | abi::kExecute;
    if (!tables.map(start, Hpa{start}, end - start, kAll, type))
        panic("no memory for the root domain's tables");
}

// What was withdrawn in [at, end).
void give_back(u64 at, u64 end) {
    while (at < end) {
        const TypedRange range = memory_type_at(at, end);
        map(identity(), at, range.end, range.type);
        at = range.end;
    }
}

}  // namespace

void identity_map_build() {
    auto& tables = *new (storage) Tables(backend().table_format(), memory);
    if (!tables.create())
        panic("no memory for the root domain's tables");
    root = tables.root();
    const u64 hv_start = kHvBase.value, hv_end = kHvBase.value + kHvSize;
    for (u64 at = 0; at < top();) {
        const TypedRange range = memory_type_at(at, top());
        map(tables, at, std::min(range.end, hv_start), range.type);
        map(tables, std::max(at, hv_end), range.end, range.type);
        at = range.end;
    }
}

Status identity_map_withdraw(Hpa base, u64 size) {
    auto guard = changes.lock();
    if (!has(base, size))
        return fail(abi::Error::Denied);
    ownership().set_filter(has);
    // In steps of 2 MiB, so that 1 GiB pages are split now and giving back needs no table.
    for (u64 at = base.value; at < base.value + size; at += kPageSize2M) {
        if (const Status done = identity().unmap(at, kPageSize2M); !done) {
            give_back(base.value, at);
            return done;
        }
    }
    return {};
}

void identity_map_give_back(Hpa base, u64 size) {
    auto guard = changes.lock();
    give_back(base.value, base.value + size);
}

Hpa identity_map_root() {
    return root;
}

}  // namespace skep::hv
