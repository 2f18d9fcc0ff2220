#include <kernel/mm/layout.hpp>
#include <kernel/mm/vm_map.hpp>
#include <kernel/proc/elf.hpp>

#include <gtest/gtest.h>

#include <elf.h>

#include <cstring>
#include <random>
#include <vector>

namespace skep::kernel {
namespace {

class Elf : public ::testing::Test {
  protected:
    Elf() {
        std::memcpy(header.e_ident, ELFMAG, SELFMAG);
        header.e_ident[EI_CLASS] = ELFCLASS64;
        header.e_ident[EI_DATA] = ELFDATA2LSB;
        header.e_machine = EM_X86_64;
        header.e_type = ET_EXEC;
        header.e_phentsize = sizeof(Elf64_Phdr);
        header.e_phoff = sizeof header;
        header.e_entry = 0x401000;
        add(PT_LOAD, PF_R | PF_X, 0, 0x400000, 0x1800, 0x1800);
        add(PT_LOAD, PF_R | PF_W, 0x1800, 0x402800, 0x100, 0x3000);
    }
    void add(std::uint32_t type, std::uint32_t flags, std::uint64_t offset, std::uint64_t address,
             std::uint64_t file, std::uint64_t memory) {
        segments.push_back({type, flags, offset, address, address, file, memory, 1});
    }
    std::vector<std::byte> bytes() {
        header.e_phnum = static_cast<std::uint16_t>(segments.size());
        std::vector<std::byte> all(4096);
        std::memcpy(all.data(), &header, sizeof header);
        std::memcpy(all.data() + sizeof header, segments.data(),
                    segments.size() * sizeof segments[0]);
        return all;
    }
    Result<ElfImage> parse() { return parse_elf(bytes(), 0x2000); }

    Elf64_Ehdr header{};
    std::vector<Elf64_Phdr> segments;
};

TEST_F(Elf, ReadsSegmentsAndTheirSpan) {
    const auto image = parse();
    ASSERT_TRUE(image);
    EXPECT_EQ(image->segment_count, 2u);
    EXPECT_EQ(image->low, 0x400000u);
    EXPECT_EQ(image->high, 0x406000u);
    EXPECT_EQ(image->headers_address, 0x400000u + sizeof header);
    EXPECT_EQ(image->segments[1].protection, kProtRead | kProtWrite);
    EXPECT_FALSE(image->freebsd_note);
}

TEST_F(Elf, RefusesWhatIsNotAnExecutableOfThisMachine) {
    header.e_machine = EM_AARCH64;
    EXPECT_FALSE(parse());
    header.e_machine = EM_X86_64;
    header.e_type = ET_REL;
    EXPECT_FALSE(parse());
    header.e_type = ET_DYN;
    EXPECT_TRUE(parse());
    EXPECT_FALSE(parse_elf({}, 0));
    segments.clear();
    EXPECT_FALSE(parse());
}

TEST_F(Elf, RefusesSegmentsThatCannotBe) {
    const auto good = segments;
    auto refuses = [&](auto change) {
        segments = good;
        change(segments[1]);
        return !parse();
    };
    EXPECT_TRUE(refuses([](auto& s) { s.p_filesz = s.p_memsz + 1; }));
    EXPECT_TRUE(refuses([](auto& s) { s.p_offset = 0x1fff; }));   // beyond the file, and misaligned
    EXPECT_TRUE(refuses([](auto& s) { s.p_offset += 8; }));       // not congruent to the address
    EXPECT_TRUE(refuses([](auto& s) { s.p_vaddr = 0x401800; }));  // overlaps the first
    EXPECT_TRUE(refuses([](auto& s) { s.p_vaddr = kUserEnd + 0x800; }));
    EXPECT_TRUE(refuses([](auto& s) { s.p_memsz = ~0ull - s.p_vaddr; }));
}

TEST_F(Elf, FindsTheFreeBsdNote) {
    auto all = bytes();
    const Elf64_Nhdr note{8, 4, 1};
    add(PT_NOTE, PF_R, 0x800, 0x400800, 24, 24);
    all = bytes();
    std::memcpy(all.data() + 0x800, &note, sizeof note);
    std::memcpy(all.data() + 0x800 + sizeof note, "FreeBSD", 8);
    EXPECT_TRUE(parse_elf(all, 0x2000)->freebsd_note);
    EXPECT_FALSE(parse_elf(all, 0x2000)->needs_write_execute);
    const Elf64_Nhdr features{8, 4, 4};  // NT_FREEBSD_FEATURE_CTL
    std::memcpy(all.data() + 0x800, &features, sizeof features);
    all[0x800 + sizeof features + 8] = std::byte{4};
    EXPECT_TRUE(parse_elf(all, 0x2000)->needs_write_execute);
    EXPECT_FALSE(parse_elf(all, 0x2000)->freebsd_note);
    std::memcpy(all.data() + 0x800 + sizeof note, "GNUxxxx", 8);
    EXPECT_FALSE(parse_elf(all, 0x2000)->freebsd_note);
}

TEST_F(Elf, SurvivesDamage) {
    std::mt19937 random(5);
    const auto good = bytes();
    for (int i = 0; i < 20000; i++) {
        auto bad = good;
        for (int n = 0; n < 4; n++)
            bad[random() % 256] = static_cast<std::byte>(random());
        bad.resize(random() % 4096);
        const auto image = parse_elf(bad, random());
        if (image) {
            EXPECT_LE(image->high, kUserEnd + kPageSize);
            EXPECT_LT(image->low, image->high);
        }
    }
}

}  // namespace
}  // namespace skep::kernel
