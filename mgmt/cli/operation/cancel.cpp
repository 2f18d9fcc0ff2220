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
    CancelOperationRequest request;
    request.set_name(arguments.id);
    CancelOperationResponse response;
    RETURN_IF_ERROR(call(context, request, response));
    show(context, response.operation(), details(response.operation()));
    return {};
}

}  // namespace

void add_operation_cancel(Parent& operation, Context& context) {
    auto arguments = std::make_shared<Arguments>();
    Command command(operation, "cancel", "asks an operation to stop halfway");
    command.positional("ID", arguments->id);
    command.run(context, arguments, run);
}

}  // namespace skep::mgmt::cli
