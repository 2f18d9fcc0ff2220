#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/show.hpp"
#include "mgmt/cli/size_text.hpp"
#include "mgmt/cli/unary.hpp"

#include "skep/api/v1/snapshot_service.grpc.pb.h"

namespace skep::mgmt::cli {
namespace {

using namespace skep::api::v1;

struct Arguments {};

Result<void> run(Context& context, const Arguments&) {
    auto all = all_pages<SnapshotService>(context, &SnapshotService::Stub::ListSnapshots, ListSnapshotsRequest());
    RETURN_IF_ERROR(all);
    std::vector<TableRow> rows = {{"NAME", "OF", "SIZE", "MEMORY", "CREATED"}};
    for (const auto& snapshot : all->snapshots())
        rows.push_back({id_text(snapshot.name()), snapshot.imported() ? "(imported)" : id_text(snapshot.source_vm()), size_text(snapshot.size_bytes()), size_text(snapshot.ram_bytes()), time_text(snapshot.create_time())});
    show(context, *all, table_text(rows));
    return {};
}

}  // namespace

void add_snapshot_list(CLI::App& snapshot, Context& context) {
    auto* command = snapshot.add_subcommand("list", "the snapshots");
    on_chosen(command, context, std::make_shared<Arguments>(), run);
}

}  // namespace skep::mgmt::cli
