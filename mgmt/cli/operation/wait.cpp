#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/await.hpp"
#include "mgmt/cli/show.hpp"
#include "mgmt/cli/unary.hpp"

#include "skep/api/v1/operation_service.grpc.pb.h"

namespace skep::mgmt::cli {
namespace {

using namespace skep::api::v1;

struct Arguments {
    std::string id;
};

Result<void> run(Context& context, const Arguments& arguments) {
    GetOperationRequest request;
    request.set_name(arguments.id);
    auto response = unary<OperationService>(context, &OperationService::Stub::GetOperation, request);
    RETURN_IF_ERROR(response);
    const auto& found = response->operation();
    auto operation = wait_for_operation(context, found, found.kind() + " of " + found.target());
    RETURN_IF_ERROR(operation);
    show(context, *operation, details(*operation));
    return {};
}

}  // namespace

void add_await(CLI::App& operation, Context& context) {
    auto arguments = std::make_shared<Arguments>();
    auto* command = operation.add_subcommand("wait", "waits until an operation is done; fails if it failed");
    command->add_option("ID", arguments->id)->required();
    on_chosen(command, context, arguments, run);
}

}  // namespace skep::mgmt::cli
