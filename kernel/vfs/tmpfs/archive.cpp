#include <kernel/vfs/tmpfs/archive.hpp>

#include <kernel/base/log.hpp>

#include <array>

namespace skep::kernel {

namespace {

constexpr std::string_view kMagic = "070701", kMagicWithSums = "070702";
constexpr std::string_view kTrailer = "TRAILER!!!";
constexpr std::size_t kHeaderSize = 110;

// The header's fields in order, eight hexadecimal digits each.
enum Field : unsigned {
    Inode,
    Mode,
    User,
    Group,
    Links,
    ModifiedTime,
    FileSize,
    DeviceMajor,
    DeviceMinor,
    NodeMajor,
    NodeMinor,
    NameSize,
    Checksum,
    FieldCount
};

struct Header {
    std::array<std::uint32_t, FieldCount> fields{};
    std::uint32_t operator[](Field field) const { return fields[field]; }
};

std::optional<Header> parse(std::string_view text) {
    if (!text.starts_with(kMagic) && !text.starts_with(kMagicWithSums))
        return std::nullopt;
    Header header;
    std::size_t at = kMagic.size();
    for (std::uint32_t& field : header.fields)
        for (int digit = 0; digit < 8; digit++) {
            const char c = text[at++];
            std::uint32_t value;
            if (c >= '0' && c <= '9')
                value = static_cast<std::uint32_t>(c - '0');
            else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
                value = static_cast<std::uint32_t>((c | 0x20) - 'a' + 10);
            else
                return std::nullopt;
            field = field << 4 | value;
        }
    return header;
}

std::optional<VnodeType> type_of(std::uint32_t mode) {
    for (VnodeType type :
         {VnodeType::Regular, VnodeType::Directory, VnodeType::Symlink, VnodeType::CharDevice,
          VnodeType::BlockDevice, VnodeType::Fifo, VnodeType::Socket})
        if (mode_of(type) == (mode & kModeTypeMask))
            return type;
    return std::nullopt;
}

std::size_t padded(std::size_t size) {
    return (size + 3) & ~std::size_t{3};
}

struct LinkedFile {
    std::uint64_t inode;
    Ref<TmpfsVnode> vnode;
};

class Unpacker {
  public:
    explicit Unpacker(Tmpfs& tmpfs) : root_(tmpfs.root()) {}
    Result<> add(const Header&, std::string_view name, std::span<const std::byte> content);

  private:
    Result<Ref<Vnode>> directory_for(std::string_view& name);
    Ref<Vnode> root_;
    Vector<LinkedFile> linked_;
};

// Missing directories on the way are made.
Result<Ref<Vnode>> Unpacker::directory_for(std::string_view& name) {
    Ref<Vnode> at = root_;
    for (;;) {
        while (name.starts_with("/") || name.starts_with("./"))
            name.remove_prefix(name.starts_with("/") ? 1 : 2);
        const std::size_t slash = name.find('/');
        if (slash == std::string_view::npos)
            return at;
        const std::string_view component = name.substr(0, slash);
        if (component == ".." || component.size() > 255)
            return fail(Errno::BadMsg);
        auto found = at->lookup(component);
        if (!found && found.error() == Errno::NoEnt)
            found = at->create(component, {.type = VnodeType::Directory, .permissions = 0755});
        at = SKEP_TRY(std::move(found));
        name.remove_prefix(slash + 1);
    }
}

Result<> Unpacker::add(const Header& header, std::string_view name,
                       std::span<const std::byte> content) {
    const auto type = type_of(header[Mode]);
    if (!type)
        return fail(Errno::BadMsg);
    while (name.ends_with("/"))
        name.remove_suffix(1);
    const FileTime time = std::int64_t{header[ModifiedTime]} * 1'000'000'000;
    const AttributeChange attributes{.permissions = header[Mode] & kModePermissions,
                                     .user = header[User],
                                     .group = header[Group]};
    Ref<Vnode> directory = SKEP_TRY(directory_for(name));
    Ref<TmpfsVnode> file;
    if (name.empty() || name == ".") {
        file = Ref<TmpfsVnode>(static_cast<TmpfsVnode*>(root_.get()));
    } else {
        if (name == ".." || name.size() > 255)
            return fail(Errno::BadMsg);
        const bool linked = header[Links] > 1 && *type == VnodeType::Regular;
        if (linked)
            for (const LinkedFile& known : linked_)
                if (known.inode == header[Inode]) {
                    file = known.vnode;
                    SKEP_TRY(directory->link(name, *file));
                }
        if (!file) {
            const std::string_view target(reinterpret_cast<const char*>(content.data()),
                                          content.size());
            auto made = directory->create(
                name, {.type = *type,
                       .device_number = device_number(header[NodeMajor], header[NodeMinor]),
                       .target = *type == VnodeType::Symlink ? target : std::string_view()});
            if (!made && made.error() == Errno::Exist && *type == VnodeType::Directory)
                made = directory->lookup(name);
            Ref<Vnode> vnode = SKEP_TRY(std::move(made));
            if (vnode->type() != *type)
                return fail(Errno::BadMsg);
            file = Ref<TmpfsVnode>(static_cast<TmpfsVnode*>(vnode.get()));
            if (linked)
                SKEP_TRY(linked_.push_back({header[Inode], file}));
        }
    }
    if (*type == VnodeType::Regular && !content.empty())
        SKEP_TRY(file->set_backing(content));
    SKEP_TRY(file->change(attributes));
    file->set_times(time);
    return {};
}

}  // namespace

Result<> unpack_archive(Tmpfs& tmpfs, std::span<const std::byte> archive) {
    Unpacker unpacker(tmpfs);
    std::size_t at = 0;
    auto damaged = [&](const char* what) -> Result<> {
        log("root archive: {} at offset {}", what, at);
        return fail(Errno::BadMsg);
    };
    for (;;) {
        if (archive.size() - at < kHeaderSize)
            return damaged("ends without a trailer");
        const char* text = reinterpret_cast<const char*>(archive.data()) + at;
        const auto header = parse({text, kHeaderSize});
        if (!header)
            return damaged("no newc header");
        const std::size_t name_size = (*header)[NameSize], file_size = (*header)[FileSize];
        const std::size_t content = padded(at + kHeaderSize + name_size);
        if (name_size == 0 || content > archive.size() || file_size > archive.size() - content)
            return damaged("an entry reaches past the end");
        // The name ends at its first NUL: more of them may follow, so that the content is page
        // aligned.
        const std::string_view field(text + kHeaderSize, name_size);
        const std::string_view name = field.substr(0, field.find('\0'));
        if (name == kTrailer)
            return {};
        if (auto added = unpacker.add(*header, name, archive.subspan(content, file_size)); !added) {
            log("root archive: cannot add {}: error {}", name, added.error());
            return added;
        }
        at = padded(content + file_size);
        if (at > archive.size())
            return damaged("an entry reaches past the end");
    }
}

}  // namespace skep::kernel
