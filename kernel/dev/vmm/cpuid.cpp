#include <kernel/dev/vmm/cpuid.hpp>

#include <kernel/include/uapi/skep/vmm.h>
#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/dev/vmm/hv_call.hpp>

#include <algorithm>
#include <span>

namespace skep::kernel::vmm {

namespace {

constexpr std::uint32_t kSubleafMatters = 1;
constexpr std::size_t kMaxEntries = 128;
static_assert(kMaxEntries * sizeof(abi::CpuidEntry) <= kPageSize);

// Leaves that describe the processor and what hv virtualizes. Not listed, so that they read as
// zero: MONITOR, power, performance counters, SGX, processor trace, resource allocation, memory
// encryption, SVM; topology by leaf 0xB is the guest's own.
constexpr std::uint32_t kLeaves[] = {
    0,           1,           2,           4,           7,           0xd,
    0x15,        0x16,        0x8000'0000, 0x8000'0001, 0x8000'0002, 0x8000'0003,
    0x8000'0004, 0x8000'0005, 0x8000'0006, 0x8000'0007, 0x8000'0008, 0x8000'001d};
constexpr std::uint32_t kLastBasic = 0x16, kLastExtended = 0x8000'001d;
constexpr std::uint32_t kExtended = 0x8000'0000;

class Table {
  public:
    explicit Table(abi::CpuidEntry* entries) : entries_(entries) {}
    void add(std::uint32_t leaf, std::uint32_t subleaf, std::uint32_t flags) {
        if (count_ < kMaxEntries)
            entries_[count_++] = {.leaf = leaf,
                                  .subleaf = subleaf,
                                  .flags = flags,
                                  .eax = 0,
                                  .ebx = 0,
                                  .ecx = 0,
                                  .edx = 0,
                                  .reserved = 0};
    }
    std::size_t count() const { return count_; }

  private:
    abi::CpuidEntry* entries_;
    std::size_t count_ = 0;
};

void add_leaf(Table& table, std::uint32_t leaf) {
    switch (leaf) {
        case 4:
        case 0x8000'001d:  // caches, until one of type 0
            for (std::uint32_t i = 0; i < 8 && cpuid(leaf, i).eax & 0x1f; ++i)
                table.add(leaf, i, kSubleafMatters);
            break;
        case 7:
            for (std::uint32_t i = 0; i <= std::min(cpuid(leaf).eax, 2u); ++i)
                table.add(leaf, i, kSubleafMatters);
            break;
        case 0xd: {  // XSAVE components that XCR0 can enable
            table.add(leaf, 0, kSubleafMatters);
            table.add(leaf, 1, kSubleafMatters);
            const std::uint64_t components = host_info().xcr0_supported;
            for (std::uint32_t i = 2; i < 63; ++i) {
                if (components >> i & 1)
                    table.add(leaf, i, kSubleafMatters);
            }
            break;
        }
        default:
            table.add(leaf, 0, 0);
    }
}

}  // namespace

Result<> copy_supported_cpuid(UserAddr argument) {
    auto request = SKEP_TRY(copy_in<uapi::VmmCpuid>(argument));
    const HvBuffer buffer = SKEP_TRY(HvBuffer::create());
    auto* entries = buffer.data<abi::CpuidEntry>();
    Table table(entries);
    const std::uint32_t basic = cpuid(0).eax, extended = cpuid(kExtended).eax;
    for (const std::uint32_t leaf : kLeaves) {
        if (leaf <= (leaf < kExtended ? basic : extended))
            add_leaf(table, leaf);
    }
    SKEP_TRY(hv_call(abi::Hypercall::CpuidSupported, buffer.address(), table.count()));
    for (abi::CpuidEntry& entry : std::span(entries, table.count())) {
        if (entry.leaf == 0)
            entry.eax = std::min(entry.eax, kLastBasic);
        else if (entry.leaf == kExtended)
            entry.eax = std::min(entry.eax, kLastExtended);
        else if (entry.leaf == 7 && entry.subleaf == 0)
            entry.eax = std::min(entry.eax, 2u);
    }
    const std::size_t fitting = std::min<std::size_t>(request.count, table.count());
    request.count = static_cast<std::uint32_t>(table.count());
    SKEP_TRY(copy_out(request.entries, entries, fitting * sizeof(abi::CpuidEntry)));
    return copy_out(argument, request);
}

}  // namespace skep::kernel::vmm
