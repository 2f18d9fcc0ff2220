#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/show.hpp"
#include "mgmt/cli/unary.hpp"

#include "skep/api/v1/operation_service.grpc.pb.h"

namespace skep::mgmt::cli {
namespace {

using namespace skep::api::v1;

struct Arguments {};

Result<void> run(Context& context, const Arguments&) {
    auto all = all_pages<OperationService>(context, &OperationService::Stub::ListOperations, ListOperationsRequest());
    RETURN_IF_ERROR(all);
    std::vector<TableRow> rows = {{"NAME", "KIND", "TARGET", "STATE", "CREATED"}};
    for (const auto& operation : all->operations())
        rows.push_back({id_text(operation.name()), operation.kind(), operation.target(), !operation.done() ? "running" : operation.has_error() ? "failed" : "done", time_text(operation.create_time())});
    show(context, *all, table_text(rows));
    return {};
}

}  // namespace

void add_operation_list(CLI::App& operation, Context& context) {
    auto* command = operation.add_subcommand("list", "the operations, newest first");
    on_chosen(command, context, std::make_shared<Arguments>(), run);
}

}  // namespace skep::mgmt::cli
