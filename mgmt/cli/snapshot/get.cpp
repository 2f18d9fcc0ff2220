#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/show.hpp"
#include "mgmt/cli/unary.hpp"

#include "skep/api/v1/snapshot_service.grpc.pb.h"

namespace skep::mgmt::cli {
namespace {

using namespace skep::api::v1;

struct Arguments {
    std::string id;
};

Result<void> run(Context& context, const Arguments& arguments) {
    GetSnapshotRequest request;
    request.set_name(arguments.id);
    auto response = unary<SnapshotService>(context, &SnapshotService::Stub::GetSnapshot, request);
    RETURN_IF_ERROR(response);
    show(context, response->snapshot(), details(response->snapshot()));
    return {};
}

}  // namespace

void add_snapshot_get(CLI::App& snapshot, Context& context) {
    auto arguments = std::make_shared<Arguments>();
    auto* command = snapshot.add_subcommand("get", "all about a snapshot");
    command->add_option("ID", arguments->id)->required();
    on_chosen(command, context, arguments, run);
}

}  // namespace skep::mgmt::cli
