#include <kernel/boot/multiboot2.hpp>

#include <algorithm>
#include <cstring>

namespace skep::kernel {

BootInformation boot_information;

namespace {

enum class Tag : std::uint32_t {
    End = 0,
    CommandLine = 1,
    Module = 3,
    MemoryMap = 6,
    Framebuffer = 8,
    AcpiOld = 14,
    AcpiNew = 15
};
constexpr std::uint32_t kMemoryAvailable = 1;

template <typename T>
T read(const std::uint8_t* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

template <std::size_t N>
void copy_text(std::array<char, N>& to, const std::uint8_t* from, std::size_t size) {
    std::size_t n = 0;
    while (n < size && n < N - 1 && from[n])
        n++;
    std::memcpy(to.data(), from, n);
    to[n] = 0;
}

void parse_memory_map(const std::uint8_t* tag, std::uint32_t size, BootInformation& out) {
    const auto entry_size = read<std::uint32_t>(tag + 8);
    if (entry_size < 20)
        return;
    for (std::uint32_t at = 16; at + entry_size <= size; at += entry_size) {
        const auto base = read<std::uint64_t>(tag + at), length = read<std::uint64_t>(tag + at + 8);
        if (read<std::uint32_t>(tag + at + 16) != kMemoryAvailable || base + length < base)
            continue;
        if (out.available_count < out.available.size())
            out.available[out.available_count++] = {{base}, {base + length}};
    }
}

// Specification, 3.6.12: address, pitch, width and height, bits per pixel, type; of a picture with
// direct colours, where each is in a pixel.
void parse_framebuffer(const std::uint8_t* tag, std::uint32_t size, BootInformation& out) {
    constexpr std::uint8_t kDirectColours = 1;
    if (size < 38 || tag[29] != kDirectColours || tag[28] % 8 != 0)
        return;
    const auto channel = [&](std::size_t at) {
        return FramebufferMode::Channel{tag[at], tag[at + 1]};
    };
    out.framebuffer = FramebufferMode{
        .address = {read<std::uint64_t>(tag + 8)},
        .pitch = read<std::uint32_t>(tag + 16),
        .width = read<std::uint32_t>(tag + 20),
        .height = read<std::uint32_t>(tag + 24),
        .pixel_size = static_cast<std::uint8_t>(tag[28] / 8),
        .red = channel(32),
        .green = channel(34),
        .blue = channel(36),
    };
}

// The next space-separated word of `text` from `position`.
std::string_view next_word(std::string_view text, std::size_t& position) {
    position = std::min(text.find_first_not_of(' ', position), text.size());
    const std::size_t end = std::min(text.find(' ', position), text.size());
    std::string_view word = text.substr(position, end - position);
    position = end;
    return word;
}

}  // namespace

void parse_multiboot2(const std::uint8_t* information, PhysAddr where, BootInformation& out) {
    const auto total = read<std::uint32_t>(information);
    out.itself = {where, where + total};
    for (std::uint32_t at = 8; at + 8 <= total;) {
        const std::uint8_t* tag = information + at;
        const auto type = read<std::uint32_t>(tag), size = read<std::uint32_t>(tag + 4);
        if (static_cast<Tag>(type) == Tag::End || size < 8 || size > total - at)
            return;
        switch (static_cast<Tag>(type)) {
            case Tag::CommandLine:
                copy_text(out.command_line, tag + 8, size - 8);
                break;
            case Tag::Module:
                if (size >= 16 && out.module_count < out.modules.size()) {
                    BootModule& m = out.modules[out.module_count++];
                    m.start = {read<std::uint32_t>(tag + 8)};
                    m.end = {read<std::uint32_t>(tag + 12)};
                    copy_text(m.command_line, tag + 16, size - 16);
                }
                break;
            case Tag::MemoryMap:
                if (size >= 16)
                    parse_memory_map(tag, size, out);
                break;
            case Tag::Framebuffer:
                parse_framebuffer(tag, size, out);
                break;
            case Tag::AcpiOld:
                if (out.rsdp[0] != 0)
                    break;
                [[fallthrough]];
            case Tag::AcpiNew:
                std::memcpy(out.rsdp.data(), tag + 8,
                            std::min<std::size_t>(size - 8, out.rsdp.size()));
                break;
            default:
                break;
        }
        at += (size + 7) & ~7u;
    }
}

std::string_view BootModule::name() const {
    std::size_t position = 0;
    return next_word(command_line.data(), position);
}

std::string_view BootInformation::option(std::string_view key) const {
    const std::string_view line = command_line.data();
    for (std::size_t position = 0; position < line.size();) {
        std::string_view word = next_word(line, position);
        if (word.starts_with(key) && word.substr(key.size()).starts_with('='))
            return word.substr(key.size() + 1);
    }
    return {};
}

bool BootInformation::has_word(std::string_view wanted) const {
    const std::string_view line = command_line.data();
    for (std::size_t position = 0; position < line.size();)
        if (next_word(line, position) == wanted)
            return true;
    return false;
}

const BootModule* BootInformation::module(std::string_view name) const {
    for (std::size_t i = 0; i < module_count; i++)
        if (modules[i].name() == name)
            return &modules[i];
    return nullptr;
}

}  // namespace skep::kernel
