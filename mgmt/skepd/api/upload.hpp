// Receives a file by a client stream into a partial file. Whatever ends early or does not add up
// leaves nothing: the partial file goes with its owner.
#pragma once

#include "mgmt/common/error.hpp"
#include "mgmt/common/files.hpp"

#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>

#include <string>

namespace skep::mgmt {

inline Error size_mismatch(const std::string& name, std::uint64_t announced,
                           std::uint64_t received) {
    return Error(Code::DataLoss, "SIZE_MISMATCH",
                 name + ": " + std::to_string(announced) + " bytes were announced, " +
                     std::to_string(received) + (received > announced ? " or more" : "") +
                     " arrived")
        .on(name);
}

// `request` is the first one, read already. `on_chunk` sees each piece before it is written.
template <typename Request, typename OnChunk>
Result<void> receive_file(grpc::ServerContext& context, grpc::ServerReader<Request>& reader,
                          Request& request, const std::string& name, PartialFile& file,
                          OnChunk on_chunk) {
    auto announced = request.size_bytes();
    std::uint64_t received = 0;
    do {
        const auto& chunk = request.chunk();
        if (chunk.size() > announced - received)
            return fail(size_mismatch(name, announced, received + chunk.size()));
        on_chunk(chunk);
        RETURN_IF_ERROR(file.write(chunk));
        received += chunk.size();
    } while (reader.Read(&request));
    if (context.IsCancelled())
        return fail(
            Error(Code::Cancelled, "CLIENT_GONE", name + ": the client went away").on(name));
    if (received != announced)
        return fail(size_mismatch(name, announced, received));
    return {};
}

}  // namespace skep::mgmt
