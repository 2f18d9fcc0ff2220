#include <snapshot/reader.hpp>
#include <snapshot/tool/commands.hpp>
#include <snapshot/tool/file.hpp>
#include <snapshot/tool/text.hpp>

#include <fmt/format.h>

#include <iostream>

namespace skep::snapshot::tool {

Status run_verify(const VerifyOptions& options) {
    const OpenFile file =
        SKEP_TRY(OpenFile::open(options.file == "-" ? "/dev/stdin" : options.file));
    FdSource source(file.fd());
    const Summary summary = SKEP_TRY(judge(source));
    std::cout << fmt::format("{}: fine: {} records, {}, xxh3-128:{}\n", options.file,
                             summary.records, size_text(summary.file_bytes),
                             hex_text(summary.digest));
    return {};
}

}  // namespace skep::snapshot::tool
