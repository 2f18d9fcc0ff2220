#include "mgmt/cli/call.hpp"
#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/show.hpp"

#include "skep/api/v1/snapshot_service.pb.h"

namespace skep::mgmt::cli {
namespace {

using namespace skep::api::v1;

struct Arguments {
    std::string id;
};

Result<void> run(Context& context, const Arguments& arguments) {
    GetSnapshotRequest request;
    request.set_name(arguments.id);
    GetSnapshotResponse response;
    RETURN_IF_ERROR(call(context, request, response));
    show(context, response.snapshot(), details(response.snapshot()));
    return {};
}

}  // namespace

void add_snapshot_get(Parent& snapshot, Context& context) {
    auto arguments = std::make_shared<Arguments>();
    Command command(snapshot, "get", "all about a snapshot");
    command.positional("ID", arguments->id);
    command.run(context, arguments, run);
}

}  // namespace skep::mgmt::cli
