#include "mgmt/skepd/api/snapshot_service.hpp"

#include "mgmt/common/api_status.hpp"
#include "mgmt/common/resource_name.hpp"
#include "mgmt/skepd/api/paging.hpp"
#include "mgmt/skepd/api/upload.hpp"

#include "skep/api/v1/snapshot_service.grpc.pb.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace skep::mgmt {
namespace {

using namespace skep::api::v1;

constexpr std::size_t kChunk = 256 * 1024;

class SnapshotServiceImpl final : public SnapshotService::Service {
  public:
    SnapshotServiceImpl(Catalogue& catalogue, const Store& store, SnapshotManager& snapshots)
        : catalogue_(catalogue), store_(store), snapshots_(snapshots) {}

    grpc::Status SaveSnapshot(grpc::ServerContext*, const SaveSnapshotRequest* request,
                              SaveSnapshotResponse* response) override {
        auto operation = [&]() -> Result<Operation> {
            auto vm = parse_name(request->vm(), "vms", "vm");
            RETURN_IF_ERROR(vm);
            auto id = parse_id(request->snapshot_id(), "snapshot_id");
            RETURN_IF_ERROR(id);
            return snapshots_.save(*vm, *id, request->after_save() == AFTER_SAVE_STOP,
                                   request->request_id());
        }();
        if (!operation)
            return to_grpc(operation.error());
        *response->mutable_operation() = std::move(*operation);
        return grpc::Status::OK;
    }

    grpc::Status RestoreSnapshot(grpc::ServerContext*, const RestoreSnapshotRequest* request,
                                 RestoreSnapshotResponse* response) override {
        auto operation = [&]() -> Result<Operation> {
            auto id = parse_name(request->name(), "snapshots", "name");
            RETURN_IF_ERROR(id);
            auto vm = parse_id(request->vm_id(), "vm_id");
            RETURN_IF_ERROR(vm);
            return snapshots_.restore(*id, *vm, request->paused(), request->request_id());
        }();
        if (!operation)
            return to_grpc(operation.error());
        *response->mutable_operation() = std::move(*operation);
        return grpc::Status::OK;
    }

    grpc::Status ListSnapshots(grpc::ServerContext*, const ListSnapshotsRequest* request,
                               ListSnapshotsResponse* response) override {
        auto next = list_page<Snapshot>(catalogue_, Table::Snapshots, *request,
                                        [&] { return response->add_snapshots(); });
        if (!next)
            return to_grpc(next.error());
        response->set_next_page_token(*next);
        return grpc::Status::OK;
    }

    grpc::Status GetSnapshot(grpc::ServerContext*, const GetSnapshotRequest* request,
                             GetSnapshotResponse* response) override {
        auto snapshot = find(request->name());
        if (!snapshot)
            return to_grpc(snapshot.error());
        *response->mutable_snapshot() = std::move(*snapshot);
        return grpc::Status::OK;
    }

    grpc::Status DeleteSnapshot(grpc::ServerContext*, const DeleteSnapshotRequest* request,
                                DeleteSnapshotResponse*) override {
        auto id = parse_name(request->name(), "snapshots", "name");
        return to_grpc(id ? snapshots_.remove(*id, request->etag())
                          : Result<void>(fail(id.error())));
    }

    grpc::Status ExportSnapshot(grpc::ServerContext* context, const ExportSnapshotRequest* request,
                                grpc::ServerWriter<ExportSnapshotResponse>* writer) override {
        return to_grpc(send(*context, request->name(), *writer));
    }

    grpc::Status ImportSnapshot(grpc::ServerContext* context,
                                grpc::ServerReader<ImportSnapshotRequest>* reader,
                                ImportSnapshotResponse* response) override {
        auto snapshot = receive(*context, *reader);
        if (!snapshot)
            return to_grpc(snapshot.error());
        *response->mutable_snapshot() = std::move(*snapshot);
        return grpc::Status::OK;
    }

  private:
    Result<Snapshot> find(const std::string& name) {
        auto id = parse_name(name, "snapshots", "name");
        RETURN_IF_ERROR(id);
        return snapshots_.get(*id);
    }

    Result<void> send(grpc::ServerContext& context, const std::string& name,
                      grpc::ServerWriter<ExportSnapshotResponse>& writer) {
        auto snapshot = find(name);
        RETURN_IF_ERROR(snapshot);
        auto id = parse_name(name, "snapshots", "name");
        RETURN_IF_ERROR(id);
        auto file = open_file(store_.snapshot(*id), O_RDONLY);
        RETURN_IF_ERROR(file);
        ExportSnapshotResponse part;
        *part.mutable_snapshot() = *snapshot;
        bool there = writer.Write(part);
        std::uint64_t sent = 0;
        while (there) {
            auto& chunk = *part.mutable_chunk();
            chunk.resize(kChunk);
            auto count = ::read(file->get(), chunk.data(), chunk.size());
            if (count < 0 && errno == EINTR)
                continue;
            if (count < 0)
                return fail(system_error(errno, "cannot read " + snapshot->name()));
            if (count == 0)
                break;
            chunk.resize(static_cast<std::size_t>(count));
            sent += chunk.size();
            there = writer.Write(part);
        }
        if (!there || context.IsCancelled())
            return fail(Error(Code::Cancelled, "CLIENT_GONE", "the client went away"));
        if (sent != snapshot->size_bytes())
            return fail(size_mismatch(snapshot->name(), snapshot->size_bytes(), sent));
        return {};
    }

    Result<Snapshot> receive(grpc::ServerContext& context,
                             grpc::ServerReader<ImportSnapshotRequest>& reader) {
        ImportSnapshotRequest request;
        if (!reader.Read(&request))
            return fail(
                Error(Code::InvalidArgument, "EMPTY_UPLOAD", "the import has no first message"));
        auto id = parse_id(request.snapshot_id(), "snapshot_id");
        RETURN_IF_ERROR(id);
        auto reservation = snapshots_.reserve(*id);
        RETURN_IF_ERROR(reservation);
        auto file = PartialFile::create(store_.snapshots(), *id, 0600);
        RETURN_IF_ERROR(file);
        RETURN_IF_ERROR(receive_file(context, reader, request, "snapshots/" + *id, *file,
                                     [](const std::string&) {}));
        return snapshots_.admit(*id, std::move(*file));
    }

    Catalogue& catalogue_;
    const Store& store_;
    SnapshotManager& snapshots_;
};

}  // namespace

std::unique_ptr<grpc::Service> make_snapshot_service(Catalogue& catalogue, const Store& store,
                                                     SnapshotManager& snapshots) {
    return std::make_unique<SnapshotServiceImpl>(catalogue, store, snapshots);
}

}  // namespace skep::mgmt
