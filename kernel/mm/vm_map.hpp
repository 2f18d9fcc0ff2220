// The address space of a program: which object shows where, with which rights, and the page tables
// made from it on demand. Hardware-free but for flush_tlb() below.
//
// Private pages live in the page tables alone: a present entry of a private mapping is the truth,
// its frame is counted once per entry, and it is copied before a write unless this entry is its
// only user. Shared mappings can always be filled again from their object.
#pragma once

#include <kernel/base/centered_vector.hpp>
#include <kernel/mm/page_table.hpp>
#include <kernel/mm/user.hpp>
#include <kernel/mm/vm_object.hpp>
#include <kernel/sync/wait.hpp>

#include <atomic>
#include <optional>

namespace skep::kernel {

inline constexpr std::uint32_t kProtRead = 1, kProtWrite = 2, kProtExecute = 4;

// What a forked child gets of a mapping.
enum class Inherit : std::uint8_t {
    Copy,
    Nothing,
    Zeros  // private anonymous memory without its contents
};

struct MapEntry {
    std::uint64_t start = 0, end = 0;
    std::uint32_t protection = 0;
    std::uint32_t max_protection = kProtRead | kProtWrite | kProtExecute;
    bool shared = false;
    Ref<VmObject> object = {};  // null: zeros (anonymous)
    std::uint64_t offset = 0;   // in the object, of `start`
    Inherit inherit = Inherit::Copy;
};

struct MapRequest {
    std::uint64_t address = 0;  // wanted if `fixed`, else a hint
    std::uint64_t size = 0;
    std::uint32_t protection = kProtRead | kProtWrite;
    std::uint32_t max_protection = kProtRead | kProtWrite | kProtExecute;
    bool shared = false;
    bool fixed = false;
    bool replace = true;  // with `fixed`: what is there goes away, else Exist
    Ref<VmObject> object = {};
    std::uint64_t offset = 0;
    std::uint64_t alignment = kPageSize;
    std::uint64_t below = 0;  // not 0: an address lower than this (MAP_32BIT)
};

enum class FaultAccess : std::uint8_t {
    Read,
    Write,
    Execute
};

class VmMap : public RefCounted {
  public:
    static Result<Ref<VmMap>> create();

    // -> address. Errors: Inval, NoMem (also: too many mappings, no gap), Exist, Acces (W^X).
    Result<std::uint64_t> map(const MapRequest&);
    Result<> unmap(std::uint64_t start, std::uint64_t size);
    // NoMem if part of the range is not mapped, Acces beyond max_protection or W^X. `maximum`: what
    // may be asked for from now on.
    Result<> protect(std::uint64_t start, std::uint64_t size, std::uint32_t protection,
                     std::optional<std::uint32_t> maximum = {});
    // From now on nothing becomes both writable and executable, in children too. Acces: something
    // is already.
    Result<> set_write_xor_execute(bool on);
    bool write_xor_execute() const { return write_xor_execute_.load(std::memory_order_relaxed); }
    // Private pages become zeros (or the file's) again.
    Result<> discard(std::uint64_t start, std::uint64_t size);
    // mremap: -> new address. `may_move` or `fixed_to` != 0.
    Result<std::uint64_t> remap(std::uint64_t start, std::uint64_t old_size, std::uint64_t new_size,
                                bool may_move, std::uint64_t fixed_to);
    // What is not mapped is left out. Inval: Zeros of what is shared or has an object.
    Result<> set_inheritance(std::uint64_t start, std::uint64_t size, Inherit);
    // Whether all of the range is mapped (msync, mincore).
    bool covers(std::uint64_t start, std::uint64_t size);

    // Makes the page at `address` accessible. Errors: Fault (nothing there), Acces (not so), Io
    // (the object has no such page), NoMem.
    Result<> fault(std::uint64_t address, FaultAccess);

    // A copy whose private pages are shared until one side writes.
    Result<Ref<VmMap>> fork();

    // The program break: [brk_start, brk) is mapped.
    void set_brk_start(std::uint64_t at) { brk_start_ = brk_ = at; }
    std::uint64_t brk_start() const { return brk_start_; }
    std::uint64_t brk() const { return brk_; }
    Result<> set_brk(std::uint64_t to);

    // Users are processes; when the last one leaves, everything is unmapped.
    void add_user() { users_.fetch_add(1, std::memory_order_relaxed); }
    void remove_user();
    bool shared_by_processes() const { return users_.load(std::memory_order_relaxed) > 1; }

    // For /proc/PID/maps: calls f(const MapEntry&) in order of address, under the lock.
    template <typename F>
    void for_each_entry(F f) {
        const MutexGuard guard(lock_);
        for (const MapEntry& e : entries_)
            f(e);
    }
    std::uint64_t mapped_bytes() const { return mapped_; }
    std::uint64_t resident_pages() const { return resident_.load(std::memory_order_relaxed); }

    // Of a part of it.
    std::uint64_t resident_pages(std::uint64_t start, std::uint64_t end);

    // Where in which object an address of a shared mapping is; null object: it is private. Fault:
    // not mapped.
    struct SharedPlace {
        const VmObject* object;  // to be compared, not to be used
        std::uint64_t offset;
    };
    Result<SharedPlace> shared_place(std::uint64_t address);
    // Memory of a program that need not be the calling one. Fault, Acces, Io, NoMem.
    Result<> read(std::uint64_t address, void* to, std::size_t size);
    // The physical page behind an address as it is now; Fault if there is none.
    Result<PhysAddr> physical(std::uint64_t address);

    PhysAddr root() const { return table_.root(); }
    std::atomic<std::uint64_t> active_cpus{
        0};  // bit per CPU that has it loaded and is to hear of changes
    std::atomic<std::uint64_t> changes{0};  // flush_tlb() calls

  private:
    template <typename T, typename... A>
    friend Result<Ref<T>> make_ref(A&&...);
    explicit VmMap(PhysAddr root) : table_(root) {}
    ~VmMap() override;

    std::size_t find_index(std::uint64_t address) const;  // of the first entry that ends above it
    MapEntry* find(std::uint64_t address);
    Result<> split_at(std::uint64_t address);
    void try_merge(std::size_t index);
    Result<std::uint64_t> find_gap(const MapRequest&);
    bool forbidden(std::uint32_t protection) const;
    Result<> unmap_locked(std::uint64_t start, std::uint64_t end);
    void drop_pages(std::uint64_t start, std::uint64_t end);
    Result<> resolve(const MapEntry&, std::uint64_t page, FaultAccess);
    Result<> copy_for_write(const MapEntry&, std::uint64_t page, Pte&);
    Result<> insert_entry(MapEntry entry);
    Result<> fork_entry(const MapEntry&, VmMap& child);
    void clear();

    Mutex lock_{"VmMap"};
    PageTable table_;
    CenteredVector<MapEntry>
        entries_;  // by address, disjoint; grows downwards, since addresses are given from above
    static constexpr std::uint64_t kMapTop = 0x7fff'0000'0000;  // mappings without a wish go below
    std::uint64_t full_from_ = kMapTop;  // between here and kMapTop nothing is free
    std::uint64_t brk_start_ = 0, brk_ = 0;
    std::atomic<bool> write_xor_execute_{false};
    std::uint64_t mapped_ = 0;
    std::atomic<std::uint64_t> resident_{0};
    std::atomic<std::uint32_t> users_{0};
};

// [start, end) of the map is forgotten by every CPU that has it loaded. Sleeps not, but waits for
// the other CPUs with interrupts on: no spin lock may be held.
void flush_tlb(VmMap& map, std::uint64_t start, std::uint64_t end);
// The same for one page and this CPU alone: enough where rights were gained, since another CPU that
// remembers less faults and comes here itself.
void forget_page_here(VmMap& map, std::uint64_t page);
// Top-level tables share the kernel's half.
Result<PhysAddr> make_top_level_table();

}  // namespace skep::kernel
