#include "hv/guest/cpuid_table.hpp"

#include "hv/arch/registers.hpp"
#include "hv/cpu/fpu.hpp"

#include <algorithm>

namespace skep::hv {

namespace {

constexpr u8 kNone = 0xff;
constexpr unsigned kEax = 0, kEbx = 1, kEcx = 2, kEdx = 3;

constexpr u32 bits(auto... positions) {
    return (0u | ... | (1u << positions));
}

// Feature words: what hv passes through if the CPU has it, and what it emulates on any CPU.
// SDM vol. 2, CPUID; APM vol. 3, appendix E.
struct FeatureWord {
    u32 leaf, subleaf;
    unsigned output;
    u32 refused;   // never: needs state or controls that hv does not virtualize
    u32 emulated;  // always
};

constexpr FeatureWord kFeatureWords[] = {
    // DTES64, MONITOR, DS-CPL, VMX, SMX, EIST, TM2, SDBG, xTPR, PDCM, DCA; PCID; x2APIC, TSC
    // deadline, OSXSAVE, hypervisor
    {1, 0, kEcx, bits(2, 3, 4, 5, 6, 7, 8, 11, 14, 15, 17, 18), bits(21, 24, 27, 31)},
    // DS, ACPI (clock control), TM, PBE
    {1, 0, kEdx, bits(21, 22, 29, 31), 0},
    // TSC_ADJUST; SGX, HLE, RTM, RDT-M, MPX, RDT-A, PT
    {7, 0, kEbx, bits(2, 4, 11, 12, 14, 15, 25), bits(1)},
    // OSPKE; WAITPKG, CET_SS, LA57, KL, bus-lock detection, ENQCMD, SGX_LC, PKS
    {7, 0, kEcx, bits(5, 7, 16, 23, 24, 29, 30, 31), bits(4)},
    // Everything but FSRM, AVX512_VP2INTERSECT, SERIALIZE: the rest is MSRs, CET, AMX
    {7, 0, kEdx, ~bits(2, 3, 4, 8, 14), 0},
    // Of subleaves 1 and 2: AVX and string instructions only
    {7, 1, kEax, ~bits(4, 5, 10, 11, 12), 0},
    {7, 1, kEbx, ~0u, 0},
    {7, 1, kEcx, ~0u, 0},
    {7, 1, kEdx, ~bits(4, 5), 0},
    {7, 2, kEdx, ~0u, 0},
    // XSAVEC, XSAVES, XFD: the compacted form is not switched
    {0xd, 1, kEax, ~bits(0, 2), 0},
    {0xd, 1, kEcx, ~0u, 0},
    // SVM, OSVW, IBS, SKINIT, WDT, LWP, NODEID, performance counters, MONITORX
    {0x8000'0001, 0, kEcx, bits(2, 3, 9, 10, 12, 13, 15, 19, 23, 24, 26, 28, 29), 0},
    {0x8000'0001, 0, kEdx, 0, 0},
    // Only the invariant TSC; only CLZERO, XSAVEERPTR, WBNOINVD
    {0x8000'0007, 0, kEbx, ~0u, 0},
    {0x8000'0007, 0, kEdx, ~bits(8), 0},
    {0x8000'0008, 0, kEbx, ~bits(0, 2, 9), 0},
    {0x8000'000a, 0, kEdx, ~0u, 0},
};

u32 output_of(const CpuidResult& result, unsigned output) {
    const std::array values = {result.eax, result.ebx, result.ecx, result.edx};
    return values[output];
}
u32 output_of(const abi::CpuidEntry& entry, unsigned output) {
    const std::array values = {entry.eax, entry.ebx, entry.ecx, entry.edx};
    return values[output];
}

const FeatureWord* feature_word(u32 leaf, u32 subleaf, unsigned output) {
    const auto found = std::find_if(
        std::begin(kFeatureWords), std::end(kFeatureWords), [&](const FeatureWord& word) {
            return word.leaf == leaf && word.subleaf == subleaf && word.output == output;
        });
    return found != std::end(kFeatureWords) ? found : nullptr;
}

// Offset and size of each enabled component, for EBX of leaf 0xD.
u32 enabled_area_size(u64 xcr0) {
    u32 size = 576;
    for (unsigned bit = 2; bit < 10; ++bit) {
        if ((xcr0 >> bit & 1) != 0) {
            const CpuidResult component = cpuid(0xd, bit);
            size = std::max(size, component.eax + component.ebx);
        }
    }
    return size;
}

void set_bit(u32& word, unsigned bit, bool value) {
    word = (word & ~(1u << bit)) | static_cast<u32>(value) << bit;
}

}  // namespace

u32 cpuid_allowed(u32 leaf, u32 subleaf, unsigned output, CpuidTable::HostCpuid host) {
    if (const FeatureWord* word = feature_word(leaf, subleaf, output))
        return (output_of(host(leaf, subleaf), output) & ~word->refused) | word->emulated;
    if (leaf == 0xd && subleaf == 0 && output == kEax)
        return static_cast<u32>(fpu_components());
    if (leaf == 0xd && subleaf == 0 && output == kEdx)
        return static_cast<u32>(fpu_components() >> 32);
    return ~0u;
}

CpuidResult cpuid_supported(u32 leaf, u32 subleaf, CpuidTable::HostCpuid host) {
    const CpuidResult machine = host(leaf, subleaf);
    CpuidResult result = machine;
    const std::array outputs = {&result.eax, &result.ebx, &result.ecx, &result.edx};
    for (unsigned output = kEax; output <= kEdx; ++output) {
        *outputs[output] = cpuid_allowed(leaf, subleaf, output, host);
        if (feature_word(leaf, subleaf, output) == nullptr)
            *outputs[output] &= output_of(machine, output);
    }
    if (leaf == 0xd && subleaf == 0)
        result.ebx = result.ecx = enabled_area_size(fpu_components());
    return result;
}

Status CpuidTable::set(std::span<const abi::CpuidEntry> entries, HostCpuid host) {
    if (entries.size() > kMaxEntries)
        return fail(abi::Error::Invalid);
    CpuidTable table;
    for (const abi::CpuidEntry& entry : entries) {
        for (unsigned output = kEax; output <= kEdx; ++output) {
            if ((output_of(entry, output) &
                 ~cpuid_allowed(entry.leaf, entry.subleaf, output, host)) != 0)
                return fail(abi::Error::Unsupported);
        }
        table.entries_[table.count_++] = entry;
    }
    const auto begin = table.entries_.begin(), end = begin + table.count_;
    const auto key = [](const abi::CpuidEntry& e) {
        return static_cast<u64>(e.leaf) << 32 | e.subleaf;
    };
    std::sort(begin, end, [&](const auto& a, const auto& b) { return key(a) < key(b); });
    if (std::adjacent_find(begin, end,
                           [&](const auto& a, const auto& b) { return key(a) == key(b); }) != end)
        return fail(abi::Error::Invalid);

    for (auto& range : table.first_)
        range.fill(kNone);
    for (u8 i = table.count_; i-- != 0;) {
        const Slot slot = slot_of(table.entries_[i].leaf);
        if (slot.range < 3)
            table.first_[slot.range][slot.index] = i;
    }
    *this = table;
    return {};
}

bool CpuidTable::has(u32 leaf, unsigned output, unsigned bit) const {
    const abi::CpuidEntry* entry = find(leaf, 0);
    return entry != nullptr && (output_of(*entry, output) >> bit & 1) != 0;
}

CpuidResult CpuidTable::get(u32 leaf, u32 subleaf, const CpuidState& state) const {
    const abi::CpuidEntry* entry = find(leaf, subleaf);
    if (entry == nullptr)
        return {};
    CpuidResult result{entry->eax, entry->ebx, entry->ecx, entry->edx};
    switch (leaf) {
        case 1:
            result.ebx = (result.ebx & 0x00ff'ffff) | state.apic_id << 24;
            set_bit(result.ecx, 27,
                    (result.ecx >> 26 & 1) != 0 && (state.cr4 & cr4::kOsxsave) != 0);
            break;
        case 7:
            if (subleaf == 0)
                set_bit(result.ecx, 4, (state.cr4 & cr4::kPke) != 0);
            break;
        case 0xb:
        case 0x1f:
            result.edx = state.apic_id;
            break;
        case 0xd:
            if (subleaf == 0 && result.eax != 0)
                result.ebx = enabled_area_size(state.xcr0);
            break;
        case 0x8000'001e:
            if (result.eax != 0)
                result.eax = state.apic_id;
            break;
        default:
            break;
    }
    return result;
}

}  // namespace skep::hv
