#include "hv/boot/multiboot.hpp"

#include "hv/boot/elf.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace skep::hv::multiboot {
namespace {

class Builder {
  public:
    Builder() : bytes_(8) {}
    Builder& tag(TagType type, const std::vector<u8>& body) {
        word(static_cast<u32>(type));
        word(static_cast<u32>(8 + body.size()));
        bytes_.insert(bytes_.end(), body.begin(), body.end());
        bytes_.resize(align_up(bytes_.size(), 8));
        return *this;
    }
    Builder& module(u32 start, u32 end, const std::string& line) {
        std::vector<u8> body(8);
        std::memcpy(body.data(), &start, 4);
        std::memcpy(body.data() + 4, &end, 4);
        body.insert(body.end(), line.begin(), line.end());
        body.push_back(0);
        return tag(TagType::Module, body);
    }
    Builder& ranges(const std::vector<MemoryRange>& list) {
        std::vector<u8> body(8 + list.size() * 24);
        body[0] = 24;
        for (std::size_t i = 0; i < list.size(); ++i) {
            std::memcpy(body.data() + 8 + i * 24, &list[i].base, 8);
            std::memcpy(body.data() + 16 + i * 24, &list[i].length, 8);
            std::memcpy(body.data() + 24 + i * 24, &list[i].type, 4);
        }
        return tag(TagType::MemoryMap, body);
    }
    std::vector<u8> done() {
        tag(TagType::End, {});
        const u32 size = static_cast<u32>(bytes_.size());
        std::memcpy(bytes_.data(), &size, 4);
        return bytes_;
    }

  private:
    void word(u32 value) {
        const auto* raw = reinterpret_cast<const u8*>(&value);
        bytes_.insert(bytes_.end(), raw, raw + 4);
    }
    std::vector<u8> bytes_;
};

std::vector<MemoryRange> ranges_of(const BootInformation& information) {
    std::vector<MemoryRange> list;
    information.for_each_range([&](const MemoryRange& range) { list.push_back(range); });
    return list;
}

constexpr u64 kMiB = 1 << 20;

TEST(Multiboot, GraphicsModeIs24Or32BitsBelow4GiB) {
    const auto mode = [](u64 address, u32 pitch, u32 width, u32 height, u32 kind) {
        std::vector<u8> body(24);
        std::memcpy(&body[0], &address, 8);
        std::memcpy(&body[8], &pitch, 4);
        std::memcpy(&body[12], &width, 4);
        std::memcpy(&body[16], &height, 4);
        std::memcpy(&body[20], &kind, 4);
        const auto bytes = Builder().tag(TagType::Framebuffer, body).done();
        return BootInformation(bytes).graphics_mode();
    };
    const auto found = mode(0x8000'0000, 4096, 1000, 768, 0x120);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->address, 0x8000'0000u);
    EXPECT_EQ(found->pitch, 4096u);
    EXPECT_EQ(found->width, 1000u);
    EXPECT_EQ(found->height, 768u);
    EXPECT_EQ(found->pixel, 4u);
    const auto narrow = mode(0x8000'0001, 3001, 1000, 768, 0x118);
    ASSERT_TRUE(narrow);
    EXPECT_EQ(narrow->pixel, 3u);
    EXPECT_FALSE(mode(0x8000'0000, 2999, 1000, 768, 0x118)) << "lines overlap";
    EXPECT_FALSE(mode(0x8000'0000, 4096, 1000, 768, 0x110)) << "16 bits";
    EXPECT_FALSE(mode(0x8000'0000, 4096, 1000, 768, 0x020)) << "indexed";
    EXPECT_FALSE(mode(0x8000'0000, 3996, 1000, 768, 0x120)) << "lines overlap";
    EXPECT_FALSE(mode(0x8000'0002, 4096, 1000, 768, 0x120)) << "pixels are not aligned";
    EXPECT_FALSE(mode(0x8000'0000, 4096, 1000, 0, 0x120));
    EXPECT_FALSE(mode(0x8000'0000, 4096, 1000, 20000, 0x120));
    EXPECT_FALSE(mode(u64{1} << 32, 4096, 1000, 768, 0x120));
    EXPECT_FALSE(mode(0xfff0'0000, 4096, 1000, 768, 0x120)) << "its end is above 4 GiB";
    EXPECT_FALSE(BootInformation(Builder().tag(TagType::Framebuffer, {}).done()).graphics_mode());
}

TEST(Multiboot, TextModeIsWithinTheVgaMemory) {
    const auto mode = [](u64 address, u32 pitch, u32 columns, u32 rows, u8 type) {
        std::vector<u8> body(24);
        std::memcpy(body.data(), &address, 8);
        std::memcpy(body.data() + 8, &pitch, 4);
        std::memcpy(body.data() + 12, &columns, 4);
        std::memcpy(body.data() + 16, &rows, 4);
        body[20] = 16;
        body[21] = type;
        const auto bytes = Builder().tag(TagType::Framebuffer, body).done();
        return BootInformation(bytes).text_mode();
    };
    const auto found = mode(0xb'8000, 160, 80, 25, 2);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->address, 0xb'8000u);
    EXPECT_EQ(found->columns, 80u);
    EXPECT_EQ(found->rows, 25u);
    EXPECT_FALSE(mode(0xb'8000, 160, 80, 25, 1)) << "graphics";
    EXPECT_FALSE(mode(0xb'8000, 100, 80, 25, 2));
    EXPECT_FALSE(mode(0xb'f800, 160, 80, 25, 2));
    EXPECT_FALSE(mode(0x10'0000, 160, 80, 25, 2));
    EXPECT_FALSE(mode(~u64{0} - 4000 + 1, 160, 80, 25, 2));
    EXPECT_FALSE(mode(0xb'8000, 0, 0, 25, 2));
    EXPECT_FALSE(BootInformation(Builder().tag(TagType::Framebuffer, {}).done()).text_mode());
}

TEST(Multiboot, EditedInformation) {
    const auto bytes =
        Builder()
            .tag(TagType::CommandLine, {'h', 'v', 0})
            .module(0x100000, 0x180000, "kernel console=ttyS0 quiet")
            .module(0x200000, 0x300000, "root")
            .ranges({{0, 640 * 1024, 1}, {kMiB, 511 * kMiB, 1}, {0xf000'0000, kMiB, 2}})
            .tag(TagType::ElfSections, std::vector<u8>(200))
            .tag(TagType::EfiMemoryMap, std::vector<u8>(100))
            .tag(TagType::AcpiOld, std::vector<u8>(20, 7))
            .done();
    const BootInformation information(bytes);
    ASSERT_TRUE(information.module("kernel"));
    EXPECT_EQ(information.module("kernel")->start, 0x100000u);
    std::vector<u8> out(bytes.size());
    const auto size = information.write_edited(out, 32 * kMiB, 16 * kMiB);
    ASSERT_TRUE(size);
    EXPECT_LE(*size, bytes.size());

    const BootInformation edited(out);
    EXPECT_FALSE(edited.module("kernel"));
    ASSERT_TRUE(edited.module("root"));
    EXPECT_EQ(edited.module("root")->end, 0x300000u);
    std::string line;
    int acpi = 0;
    edited.for_each_tag([&](const Tag& tag) {
        EXPECT_NE(tag.type, TagType::ElfSections);
        EXPECT_NE(tag.type, TagType::EfiMemoryMap);
        if (tag.type == TagType::CommandLine)
            line = tag.text(0);
        acpi += tag.type == TagType::AcpiOld && tag.body.size() == 20;
    });
    EXPECT_EQ(line, "console=ttyS0 quiet");
    EXPECT_EQ(acpi, 1);
    const auto list = ranges_of(edited);
    ASSERT_EQ(list.size(), 5u);
    EXPECT_EQ(list[1].end(), 32 * kMiB);
    EXPECT_EQ(list[2].base, 32 * kMiB);
    EXPECT_EQ(list[2].type, MemoryRange::kReserved);
    EXPECT_EQ(list[2].end(), 48 * kMiB);
    EXPECT_EQ(list[3].base, 48 * kMiB);
    EXPECT_EQ(list[3].end(), 512 * kMiB);
}

TEST(Multiboot, TooSmallABufferIsAnError) {
    const auto bytes = Builder().module(0, 1, "kernel a").module(0, 1, "root").done();
    for (std::size_t room = 0; room < 60; ++room) {
        std::vector<u8> out(room);
        EXPECT_FALSE(BootInformation(bytes).write_edited(out, 0, 0)) << room;
    }
}

TEST(Multiboot, DamagedInformationIsReadSafely) {
    const auto good = Builder().module(1, 2, "kernel x").ranges({{0, kMiB, 1}}).done();
    std::mt19937 random(5);
    for (int i = 0; i < 50'000; ++i) {
        auto bytes = good;
        for (int flips = 0; flips < 3; ++flips)
            bytes[random() % bytes.size()] = static_cast<u8>(random());
        bytes.resize(random() % (bytes.size() + 1));
        const BootInformation information(bytes);
        information.module("kernel");
        ranges_of(information);
        std::vector<u8> out(random() % 300);
        (void)information.write_edited(out, 32 * kMiB, 16 * kMiB);
    }
}

TEST(Elf, LoadsWhereItSays) {
    std::vector<u8> file(0x1000 + 5);
    const auto put = [&](std::size_t at, auto value) {
        std::memcpy(&file[at], &value, sizeof value);
    };
    std::memcpy(file.data(),
                "\x7f"
                "ELF\x02\x01",
                6);
    put(18, u16{62});
    put(24, u64{0xffff'ffff'8100'0010});
    put(32, u64{64});
    put(54, u16{56});
    put(56, u16{1});
    put(64, u32{1});
    put(72, u64{0x1000});
    put(80, u64{0xffff'ffff'8100'0000});
    put(88, u64{0x100'0000});
    put(96, u64{5});
    put(104, u64{0x100});
    std::memcpy(&file[0x1000], "hello", 5);
    std::vector<u8> memory(0x1000, 0xcc);
    const LoadWindow window{0x100'0000, memory.size(), memory.data()};
    const auto entry = load_elf(file, window);
    ASSERT_TRUE(entry);
    EXPECT_EQ(*entry, 0x100'0010u);
    EXPECT_EQ(std::memcmp(memory.data(), "hello", 5), 0);
    EXPECT_EQ(memory[0xff], 0);
    EXPECT_EQ(memory[0x100], 0xcc);

    // Damage anywhere in the headers loads nothing outside of the window.
    std::mt19937 random(9);
    for (int i = 0; i < 50'000; ++i) {
        auto bad = file;
        for (int flips = 0; flips < 4; ++flips)
            bad[random() % 120] = static_cast<u8>(random());
        bad.resize(random() % (bad.size() + 1));
        (void)load_elf(bad, window);
    }
}

}  // namespace
}  // namespace skep::hv::multiboot
