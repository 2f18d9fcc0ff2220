#include "hv/boot/acpi.hpp"

#include "hv/memory/layout.hpp"

#include <cstring>

namespace skep::hv {

namespace {

constexpr u64 kReachable = u64{4} << 30;  // the direct map has all below
constexpr u32 kTableHeader = 36;          // ACPI 6.5, table 5.4

struct Bytes {
    std::span<const u8> data;

    template <class T>
    T at(std::size_t offset) const {
        T value{};
        if (offset + sizeof(T) <= data.size())
            std::memcpy(&value, data.data() + offset, sizeof(T));
        return value;
    }
    bool starts_with(std::string_view text) const {
        return data.size() >= text.size() &&
               std::memcmp(data.data(), text.data(), text.size()) == 0;
    }
};

Bytes memory(u64 address, u64 size) {
    if (address == 0 || address >= kReachable || size > kReachable - address)
        return {};
    return {{direct(Hpa{address}), size}};
}

Bytes table(u64 address) {
    const u32 length = memory(address, kTableHeader).at<u32>(4);
    return length >= kTableHeader ? memory(address, length) : Bytes{};
}

Bytes find_rsdp(const multiboot::BootInformation& information) {
    Bytes found;
    information.for_each_tag([&](const multiboot::Tag& tag) {
        if (tag.type == multiboot::TagType::AcpiNew ||
            (tag.type == multiboot::TagType::AcpiOld && found.data.empty()))
            found = {tag.body};
    });
    // Else where a BIOS leaves it, ACPI 6.5, 5.2.5.1.
    const u64 ebda = memory(0x40e, 2).at<u16>(0) * u64{16};
    for (const auto& [start, size] :
         {std::pair{ebda, u64{1024}}, std::pair{u64{0xe0000}, u64{0x20000}}}) {
        for (u64 at = align_up(start, 16); start != 0 && at < start + size && found.data.empty();
             at += 16) {
            if (memory(at, 36).starts_with("RSD PTR "))
                found = memory(at, 36);
        }
    }
    return found;
}

Bytes find_madt(const Bytes& rsdp) {
    const bool extended = rsdp.at<u8>(15) >= 2 && rsdp.at<u64>(24) != 0;
    const Bytes root = table(extended ? rsdp.at<u64>(24) : rsdp.at<u32>(16));
    const std::size_t entry_size = extended ? 8 : 4;
    for (std::size_t at = kTableHeader; at + entry_size <= root.data.size(); at += entry_size) {
        const Bytes candidate = table(extended ? root.at<u64>(at) : root.at<u32>(at));
        if (candidate.starts_with("APIC"))
            return candidate;
    }
    return {};
}

}  // namespace

ApicIds find_cpus(const multiboot::BootInformation& information) {
    const Bytes madt = find_madt(find_rsdp(information));
    ApicIds found;
    const auto add = [&](u32 id, u32 flags) {
        if ((flags & 1) != 0 && found.count < found.ids.size())
            found.ids[found.count++] = id;
    };
    for (std::size_t at = 44; at + 2 <= madt.data.size();) {
        const u8 type = madt.at<u8>(at), length = madt.at<u8>(at + 1);
        if (length < 2)
            break;
        if (type == 0)
            add(madt.at<u8>(at + 3), madt.at<u32>(at + 4));
        else if (type == 9)
            add(madt.at<u32>(at + 4), madt.at<u32>(at + 8));
        at += length;
    }
    return found;
}

}  // namespace skep::hv
