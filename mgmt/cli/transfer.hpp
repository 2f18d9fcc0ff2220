// Sends a file by a client stream: the first request announces it, the others carry chunks.
#pragma once

#include "mgmt/cli/progress.hpp"
#include "mgmt/common/error.hpp"
#include "mgmt/common/files.hpp"

#include <grpcpp/support/sync_stream.h>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace skep::mgmt::cli {

inline constexpr std::size_t kChunk = 256 * 1024;

struct OpenedFile {
    UniqueFd fd;
    std::uint64_t size = 0;
};

inline Result<OpenedFile> open_for_sending(const std::string& path) {
    auto fd = open_file(path, O_RDONLY);
    RETURN_IF_ERROR(fd);
    auto size = file_size(fd->get(), path);
    RETURN_IF_ERROR(size);
    return OpenedFile{std::move(*fd), *size};
}

// The announcement `request` (its size set) has its id already. A server that refuses ends the
// stream; why, its status says, so this is no error here.
template <typename Request>
Result<void> send_file(grpc::ClientWriter<Request>& writer, Request request, const OpenedFile& file,
                       const std::string& path, Progress& progress) {
    std::uint64_t sent = 0;
    bool wanted = writer.Write(request);
    request.Clear();
    auto& chunk = *request.mutable_chunk();
    while (wanted && sent < file.size) {
        chunk.resize(std::min<std::uint64_t>(kChunk, file.size - sent));
        auto count = ::read(file.fd.get(), chunk.data(), chunk.size());
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return fail(system_error(errno, "cannot read " + path));
        if (count == 0)
            return fail(
                Error(Code::DataLoss, "FILE_SHRANK", path + " became shorter while it was read"));
        chunk.resize(static_cast<std::size_t>(count));
        wanted = writer.Write(request);
        sent += chunk.size();
        progress.update(sent, file.size);
    }
    writer.WritesDone();
    return {};
}

}  // namespace skep::mgmt::cli
