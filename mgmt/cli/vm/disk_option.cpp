#include "mgmt/cli/vm/disk_option.hpp"

#include "mgmt/cli/size_text.hpp"

namespace skep::mgmt::cli {

Result<skep::vm::v1::Disk> parse_disk(std::string_view text) {
    skep::vm::v1::Disk disk;
    auto wrong = [text](const std::string& what) {
        return fail(Error(Code::InvalidArgument, "INVALID_DISK",
                          "--disk " + std::string(text) + ": " + what)
                        .with_hint("write it as data=10G, root=image:debian or "
                                   "root=image:debian,size=10G,read-only"));
    };
    auto equals = text.find('=');
    if (equals == 0 || equals == std::string_view::npos)
        return wrong("not NAME=SIZE or NAME=image:IMAGE");
    disk.set_name(std::string(text.substr(0, equals)));
    for (auto rest = text.substr(equals + 1);;) {
        auto comma = rest.find(',');
        auto part = rest.substr(0, comma);
        if (part == "read-only") {
            disk.set_read_only(true);
        } else if (part.starts_with("image:") && part.size() > 6) {
            disk.set_image(std::string(part.substr(6)));
        } else {
            auto size = parse_size(part.substr(part.starts_with("size=") ? 5 : 0));
            if (!size)
                return wrong("'" + std::string(part) +
                             "' is no size, no image:IMAGE, and not read-only");
            disk.set_size_bytes(*size);
        }
        if (comma == std::string_view::npos)
            break;
        rest.remove_prefix(comma + 1);
    }
    if (disk.size_bytes() == 0 && disk.image().empty())
        return wrong("a size or an image is missing");
    return disk;
}

}  // namespace skep::mgmt::cli
