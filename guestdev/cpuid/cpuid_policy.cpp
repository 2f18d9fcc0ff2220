#include <guestdev/cpuid/cpuid_policy.hpp>

#include <guestdev/cpuid/features.hpp>

#include <algorithm>
#include <bit>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>
#include <tuple>

namespace skep::guestdev {
namespace {

constexpr std::uint32_t kSubleafMatters = 1;
constexpr std::uint32_t kHypervisorBit = 1u << 31, kXsaveBit = 1 << 26, kHttBit = 1 << 28;
constexpr std::uint32_t kInvariantTsc = 1 << 8;
constexpr std::uint32_t kArat = 1 << 2;
constexpr std::uint32_t kBasicMax = 0x0d, kExtendedMax = 0x8000'0008;

std::uint32_t& output(abi::CpuidEntry& entry, Output which) {
    switch (which) {
        case Output::Eax:
            return entry.eax;
        case Output::Ebx:
            return entry.ebx;
        case Output::Ecx:
            return entry.ecx;
        default:
            return entry.edx;
    }
}

const abi::CpuidEntry* find(std::span<const abi::CpuidEntry> entries, std::uint32_t leaf,
                            std::uint32_t subleaf) {
    for (const abi::CpuidEntry& entry : entries) {
        if (entry.leaf == leaf && (!(entry.flags & kSubleafMatters) || entry.subleaf == subleaf))
            return &entry;
    }
    return nullptr;
}

std::uint32_t value_of(std::span<const abi::CpuidEntry> entries, std::uint32_t leaf,
                       std::uint32_t subleaf, Output which) {
    const abi::CpuidEntry* entry = find(entries, leaf, subleaf);
    if (!entry)
        return 0;
    abi::CpuidEntry copy = *entry;
    return output(copy, which);
}

// All feature bits of kFeatures in that word which `entries` have.
std::uint32_t feature_word(std::span<const abi::CpuidEntry> entries, std::uint32_t leaf,
                           std::uint32_t subleaf, Output which) {
    std::uint32_t mask = 0;
    for (const Feature& feature : kFeatures) {
        if (feature.leaf == leaf && feature.subleaf == subleaf && feature.output == which)
            mask |= 1u << feature.bit;
    }
    return value_of(entries, leaf, subleaf, which) & mask;
}

class Table {
  public:
    explicit Table(const CpuidInput& input) : input_(input) {}

    abi::CpuidEntry& add(std::uint32_t leaf, std::uint32_t subleaf = 0, std::uint32_t flags = 0) {
        return entries_.emplace_back(abi::CpuidEntry{.leaf = leaf,
                                                     .subleaf = subleaf,
                                                     .flags = flags,
                                                     .eax = 0,
                                                     .ebx = 0,
                                                     .ecx = 0,
                                                     .edx = 0,
                                                     .reserved = 0});
    }
    // As the host has it.
    abi::CpuidEntry& copy(std::uint32_t leaf) {
        abi::CpuidEntry& entry = add(leaf);
        if (const abi::CpuidEntry* host = find(input_.supported, leaf, 0)) {
            entry = *host;
            entry.flags = 0;
            entry.subleaf = 0;
        }
        return entry;
    }
    void filter(abi::CpuidEntry& entry, Output which) {
        output(entry, which) = feature_word(input_.supported, entry.leaf, entry.subleaf, which);
    }
    void signature(std::uint32_t leaf, std::uint32_t last, std::string_view text) {
        char padded[12] = {};
        std::memcpy(padded, text.data(), std::min(text.size(), sizeof padded));
        abi::CpuidEntry& entry = add(leaf);
        entry.eax = last;
        std::memcpy(&entry.ebx, padded, 4);
        std::memcpy(&entry.ecx, padded + 4, 4);
        std::memcpy(&entry.edx, padded + 8, 4);
    }
    std::vector<abi::CpuidEntry> take() {
        std::ranges::sort(entries_, {}, [](const abi::CpuidEntry& entry) {
            return std::tuple(entry.leaf, entry.subleaf);
        });
        return {entries_.begin(), entries_.end()};
    }

  private:
    const CpuidInput& input_;
    std::deque<abi::CpuidEntry> entries_;  // references to entries stay valid
};

// Intel's cache and topology leaves: one thread per core, one package.
void add_caches(Table& table, const CpuidInput& input, std::uint32_t leaf) {
    for (const abi::CpuidEntry& host : input.supported) {
        if (host.leaf != leaf)
            continue;
        abi::CpuidEntry& entry = table.add(leaf, host.subleaf, kSubleafMatters);
        // Bits 14..25: threads that share the cache; 26..31: cores in the package.
        entry.eax = host.eax & 0x3fff;
        entry.ebx = host.ebx;
        entry.ecx = host.ecx;
        entry.edx = host.edx;
        if (leaf == 4)
            entry.eax |= (input.vcpus - 1) << 26;
    }
}

void add_topology(Table& table, unsigned vcpus) {
    enum LevelType : std::uint32_t {
        kThread = 1,
        kCore = 2
    };
    abi::CpuidEntry& thread = table.add(0xb, 0, kSubleafMatters);
    thread.ebx = 1;
    thread.ecx = kThread << 8;
    abi::CpuidEntry& core = table.add(0xb, 1, kSubleafMatters);
    core.eax = static_cast<std::uint32_t>(std::bit_width(vcpus - 1));
    core.ebx = vcpus;
    core.ecx = 1 | kCore << 8;
}

void add_xsave(Table& table, const CpuidInput& input) {
    std::uint64_t components = input.xcr0_supported & kXcr0Allowed;
    abi::CpuidEntry& main = table.add(0xd, 0, kSubleafMatters);
    main.eax = static_cast<std::uint32_t>(components);
    constexpr std::uint32_t kLegacyAndHeader = 576, kAvxState = 256;
    main.ebx = kLegacyAndHeader;  // hv keeps it at what XCR0 asks for
    main.ecx = kLegacyAndHeader + (components & 4 ? kAvxState : 0);
    abi::CpuidEntry& extensions = table.add(0xd, 1, kSubleafMatters);
    table.filter(extensions, Output::Eax);
    if (components & 4) {
        abi::CpuidEntry& avx = table.add(0xd, 2, kSubleafMatters);
        avx.eax = kAvxState;
        avx.ebx = kLegacyAndHeader;
    }
}

}  // namespace

std::vector<abi::CpuidEntry> make_cpuid(const CpuidInput& input) {
    Table table(input);
    table.copy(0).eax = kBasicMax;

    abi::CpuidEntry& one = table.copy(1);
    one.ebx &= 0xff00;  // CLFLUSH size; hv fills in the APIC id
    table.filter(one, Output::Ecx);
    table.filter(one, Output::Edx);
    one.ecx |= kHypervisorBit;
    if (input.vcpus > 1) {
        one.edx |= value_of(input.supported, 1, 0, Output::Edx) & kHttBit;
        one.ebx |= input.vcpus << 16;
    }
    bool xsave = one.ecx & kXsaveBit;

    table.copy(2);
    add_caches(table, input, 4);
    // hv's APIC timer runs whatever the CPU's power state.
    table.add(6).eax = kArat;
    abi::CpuidEntry& seven = table.add(7, 0, kSubleafMatters);
    table.filter(seven, Output::Ebx);
    table.filter(seven, Output::Ecx);
    table.filter(seven, Output::Edx);
    add_topology(table, input.vcpus);
    if (xsave)
        add_xsave(table, input);

    table.signature(kHypervisorLeaf, kHypervisorLeaf + 1, "KVMKVMKVM");
    table.add(kHypervisorLeaf + 1).eax = kKvmClockSource2 | kKvmNoIoDelay | kKvmClockStable;

    table.copy(0x8000'0000).eax = kExtendedMax;
    abi::CpuidEntry& extended = table.copy(0x8000'0001);
    extended.ebx = 0;
    table.filter(extended, Output::Ecx);
    table.filter(extended, Output::Edx);
    // AMD repeats the bits of leaf 1 here.
    constexpr std::uint32_t kRepeated = 0x0183'f3ff;
    extended.edx |= value_of(input.supported, 0x8000'0001, 0, Output::Edx) & one.edx & kRepeated;
    for (std::uint32_t leaf :
         {0x8000'0002u, 0x8000'0003u, 0x8000'0004u, 0x8000'0005u, 0x8000'0006u})
        table.copy(leaf);
    // Where the host does not promise it, Linux keeps to the paravirtual clock.
    table.add(0x8000'0007).edx =
        value_of(input.supported, 0x8000'0007, 0, Output::Edx) & kInvariantTsc;
    abi::CpuidEntry& sizes = table.copy(0x8000'0008);
    sizes.eax &= 0xffff;
    sizes.ebx = 0;
    sizes.ecx = input.vcpus > 1 ? input.vcpus - 1 : 0;
    sizes.edx = 0;
    return table.take();
}

Status check_cpuid(std::span<const abi::CpuidEntry> wanted, const CpuidInput& here) {
    for (Output vendor : {Output::Ebx, Output::Edx, Output::Ecx}) {
        if (value_of(wanted, 0, 0, vendor) != value_of(here.supported, 0, 0, vendor))
            return fail(Code::FailedPrecondition,
                        "the guest was made on a processor of another vendor than this host's");
    }
    std::string missing;
    for (const Feature& feature : kFeatures) {
        std::uint32_t bit = 1u << feature.bit;
        if ((value_of(wanted, feature.leaf, feature.subleaf, feature.output) & bit) &&
            !(value_of(here.supported, feature.leaf, feature.subleaf, feature.output) & bit))
            missing += (missing.empty() ? "" : ", ") + std::string(feature.name);
    }
    if (!missing.empty())
        return fail(Code::FailedPrecondition,
                    "the guest uses CPU features that this host lacks: " + missing);
    std::uint64_t components = value_of(wanted, 0xd, 0, Output::Eax);
    if (components & ~here.xcr0_supported)
        return fail(Code::FailedPrecondition,
                    "the guest uses XSAVE components that this host lacks");
    return {};
}

}  // namespace skep::guestdev
