#include "hv/boot/multiboot.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace skep::hv::multiboot {

namespace {

// Appends tags to a buffer and remembers whether everything fitted.
class Writer {
  public:
    explicit Writer(std::span<u8> out) : out_(out) { skip(8); }

    void begin(TagType type) {
        tag_ = size_;
        word(static_cast<u32>(type));
        word(0);
    }
    void end() {
        patch(tag_ + 4, static_cast<u32>(size_ - tag_));
        skip(align_up(size_, 8) - size_);
    }
    void word(u32 value) { bytes({reinterpret_cast<const u8*>(&value), 4}); }
    void quad(u64 value) { bytes({reinterpret_cast<const u8*>(&value), 8}); }
    void bytes(std::span<const u8> data) {
        if (data.size() <= out_.size() - size_)
            std::copy(data.begin(), data.end(), out_.begin() + static_cast<std::ptrdiff_t>(size_));
        advance(data.size());
    }
    Result<std::size_t> finish() {
        begin(TagType::End);
        end();
        if (!fits_)
            return fail(abi::Error::NoMemory);
        patch(0, static_cast<u32>(size_));
        return size_;
    }

  private:
    void skip(std::size_t count) {
        if (count <= out_.size() - size_)
            std::fill_n(out_.begin() + static_cast<std::ptrdiff_t>(size_), count, u8{0});
        advance(count);
    }
    void advance(std::size_t count) {
        fits_ = fits_ && count <= out_.size() - size_;
        size_ = fits_ ? size_ + count : out_.size();
    }
    void patch(std::size_t at, u32 value) {
        if (fits_)
            std::memcpy(out_.data() + at, &value, 4);
    }

    std::span<u8> out_;
    std::size_t size_ = 0, tag_ = 0;
    bool fits_ = true;
};

void write_range(Writer& writer, u64 base, u64 end, u32 type) {
    if (base >= end)
        return;
    writer.quad(base);
    writer.quad(end - base);
    writer.word(type);
    writer.word(0);
}

}  // namespace

std::string_view Tag::text(std::size_t offset) const {
    if (offset >= body.size())
        return {};
    const auto* start = reinterpret_cast<const char*>(body.data() + offset);
    const std::string_view all(start, body.size() - offset);
    return all.substr(0, all.find('\0'));
}

u32 Tag::word(std::size_t offset) const {
    u32 value = 0;
    if (offset + 4 <= body.size())
        std::memcpy(&value, body.data() + offset, 4);
    return value;
}

u64 Tag::quad(std::size_t offset) const {
    return word(offset) | static_cast<u64>(word(offset + 4)) << 32;
}

BootInformation::BootInformation(std::span<const u8> bytes) : bytes_(bytes) {
    u32 total = 0;
    if (bytes.size() >= 8)
        std::memcpy(&total, bytes.data(), 4);
    bytes_ = bytes.first(std::min<std::size_t>(total, bytes.size()));
}

std::optional<Tag> BootInformation::tag_at(std::size_t offset) const {
    if (offset + 8 > bytes_.size())
        return std::nullopt;
    u32 head[2];
    std::memcpy(head, bytes_.data() + offset, 8);
    if (head[1] < 8 || head[1] > bytes_.size() - offset)
        return std::nullopt;
    return Tag{static_cast<TagType>(head[0]), bytes_.subspan(offset + 8, head[1] - 8)};
}

Module parse_module(const Tag& tag) {
    const std::string_view line = tag.text(8);
    const auto space = line.find(' ');
    Module module{tag.word(0), tag.word(4), line.substr(0, space), {}};
    if (space != std::string_view::npos)
        module.arguments = line.substr(space + 1);
    return module;
}

std::optional<Module> BootInformation::module(std::string_view name) const {
    std::optional<Module> found;
    for_each_tag([&](const Tag& tag) {
        if (tag.type != TagType::Module || found)
            return;
        if (const Module module = parse_module(tag); module.name == name)
            found = module;
    });
    return found;
}

// Specification, 3.6.12: address, pitch, width and height in characters, bits per cell, type.
std::optional<TextMode> BootInformation::text_mode() const {
    constexpr u32 kText = 2, kMostColumns = 200, kMostRows = 100;
    constexpr u64 kVgaMemory = 0xa'0000, kVgaEnd = 0xc'0000;
    std::optional<TextMode> found;
    for_each_tag([&](const Tag& tag) {
        if (tag.type != TagType::Framebuffer)
            return;
        const u64 address = tag.quad(0);
        const u32 pitch = tag.word(8), columns = tag.word(12), rows = tag.word(16);
        if ((tag.word(20) >> 8 & 0xff) == kText && pitch == 2 * columns && columns != 0 &&
            rows != 0 && columns <= kMostColumns && rows <= kMostRows && address >= kVgaMemory &&
            address < kVgaEnd && u64{pitch} * rows <= kVgaEnd - address)
            found = TextMode{static_cast<u32>(address), columns, rows};
    });
    return found;
}

std::optional<GraphicsMode> BootInformation::graphics_mode() const {
    constexpr u32 kRgb = 1, kMost = 16384, kLeast = 64;
    std::optional<GraphicsMode> found;
    for_each_tag([&](const Tag& tag) {
        if (tag.type != TagType::Framebuffer)
            return;
        const u64 address = tag.quad(0);
        const u32 pitch = tag.word(8), width = tag.word(12), height = tag.word(16);
        const u32 bits = tag.word(20) & 0xff, pixel = bits / 8, kind = tag.word(20) >> 8 & 0xff;
        if (kind == kRgb && (bits == 24 || bits == 32) && width >= kLeast && width <= kMost &&
            height >= kLeast && height <= kMost && pitch >= pixel * width && pitch <= 8 * kMost &&
            (bits == 24 || is_aligned(address | pitch, 4)) && address < u64{1} << 32 &&
            u64{pitch} * height <= (u64{1} << 32) - address)
            found = GraphicsMode{static_cast<u32>(address), pixel, pitch, width, height};
    });
    return found;
}

Result<std::size_t> BootInformation::write_edited(std::span<u8> out, u64 hidden_base,
                                                  u64 hidden_size) const {
    if (out.size() < 16)
        return fail(abi::Error::NoMemory);
    const u64 hidden_end = hidden_base + hidden_size;
    Writer writer(out);

    if (const auto kernel = module("kernel")) {
        writer.begin(TagType::CommandLine);
        writer.bytes(
            {reinterpret_cast<const u8*>(kernel->arguments.data()), kernel->arguments.size()});
        writer.bytes(std::array<u8, 1>{0});
        writer.end();
    }
    for_each_tag([&](const Tag& tag) {
        switch (tag.type) {
            case TagType::CommandLine:
            case TagType::ElfSections:
            case TagType::LoadBase:
            case TagType::EfiMemoryMap:
            case TagType::MemoryMap:
                return;
            case TagType::Module:
                if (parse_module(tag).name == "kernel")
                    return;
                break;
            default:
                break;
        }
        writer.begin(tag.type);
        writer.bytes(tag.body);
        writer.end();
    });
    writer.begin(TagType::MemoryMap);
    writer.word(24);
    writer.word(0);
    for_each_range([&](const MemoryRange& range) {
        if (range.end() <= hidden_base || range.base >= hidden_end) {
            write_range(writer, range.base, range.end(), range.type);
            return;
        }
        write_range(writer, range.base, hidden_base, range.type);
        write_range(writer, std::max(range.base, hidden_base), std::min(range.end(), hidden_end),
                    MemoryRange::kReserved);
        write_range(writer, hidden_end, range.end(), range.type);
    });
    writer.end();
    return writer.finish();
}

}  // namespace skep::hv::multiboot
