#include "mgmt/cli/call.hpp"
#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/show.hpp"

#include "skep/api/v1/operation_service.pb.h"

namespace skep::mgmt::cli {
namespace {

using namespace skep::api::v1;

Result<void> run(Context& context) {
    ListOperationsResponse all;
    RETURN_IF_ERROR(call_for_all_pages(context, ListOperationsRequest(), all));
    std::vector<TableRow> rows = {{"NAME", "KIND", "TARGET", "STATE", "CREATED"}};
    for (const auto& operation : all.operations())
        rows.push_back({id_text(operation.name()), operation.kind(), operation.target(),
                        !operation.done()       ? "running"
                        : operation.has_error() ? "failed"
                                                : "done",
                        time_text(operation.create_time())});
    show(context, all, table_text(rows));
    return {};
}

}  // namespace

void add_operation_list(Parent& operation, Context& context) {
    Command command(operation, "list", "the operations, newest first");
    command.run(context, run);
}

}  // namespace skep::mgmt::cli
