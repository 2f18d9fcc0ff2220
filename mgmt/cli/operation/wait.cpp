#include "mgmt/cli/await.hpp"
#include "mgmt/cli/call.hpp"
#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/show.hpp"

#include "skep/api/v1/operation_service.pb.h"

namespace skep::mgmt::cli {
namespace {

using namespace skep::api::v1;

struct Arguments {
    std::string id;
};

Result<void> run(Context& context, const Arguments& arguments) {
    GetOperationRequest request;
    request.set_name(arguments.id);
    GetOperationResponse response;
    RETURN_IF_ERROR(call(context, request, response));
    const auto& found = response.operation();
    auto operation = wait_for_operation(context, found, found.kind() + " of " + found.target());
    RETURN_IF_ERROR(operation);
    show(context, *operation, details(*operation));
    return {};
}

}  // namespace

void add_await(Parent& operation, Context& context) {
    auto arguments = std::make_shared<Arguments>();
    Command command(operation, "wait", "waits until an operation is done; fails if it failed");
    command.positional("ID", arguments->id);
    command.run(context, arguments, run);
}

}  // namespace skep::mgmt::cli
