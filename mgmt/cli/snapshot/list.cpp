#include "mgmt/cli/call.hpp"
#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/show.hpp"
#include "mgmt/cli/size_text.hpp"

#include "skep/api/v1/snapshot_service.pb.h"

namespace skep::mgmt::cli {
namespace {

using namespace skep::api::v1;

Result<void> run(Context& context) {
    ListSnapshotsResponse all;
    RETURN_IF_ERROR(call_for_all_pages(context, ListSnapshotsRequest(), all));
    std::vector<TableRow> rows = {{"NAME", "OF", "SIZE", "MEMORY", "CREATED"}};
    for (const auto& snapshot : all.snapshots())
        rows.push_back({id_text(snapshot.name()),
                        snapshot.imported() ? "(imported)" : id_text(snapshot.source_vm()),
                        size_text(snapshot.size_bytes()), size_text(snapshot.ram_bytes()),
                        time_text(snapshot.create_time())});
    show(context, all, table_text(rows));
    return {};
}

}  // namespace

void add_snapshot_list(Parent& snapshot, Context& context) {
    Command command(snapshot, "list", "the snapshots");
    command.run(context, run);
}

}  // namespace skep::mgmt::cli
