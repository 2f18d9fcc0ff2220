#include "mgmt/cli/await.hpp"

#include "mgmt/cli/call.hpp"
#include "mgmt/cli/progress.hpp"
#include "mgmt/cli/say_on_interrupt.hpp"
#include "mgmt/common/api_status.hpp"

#include "skep/api/v1/operation_service.pb.h"

#include <unistd.h>

namespace skep::mgmt::cli {

using namespace skep::api::v1;

Result<Operation> wait_for_operation(Context& context, Operation operation,
                                     const std::string& label) {
    Progress progress(label);
    auto id = operation.name().substr(operation.name().find('/') + 1);
    SayOnInterrupt left("\nskep: it goes on: 'skep operation wait " + id +
                        "' waits for it, 'skep operation cancel " + id + "' breaks it off\n");
    // The bar wants news; otherwise one long call does, which an emulated server thanks for.
    const int seconds = ::isatty(STDERR_FILENO) == 1 ? 1 : 5;
    while (!operation.done()) {
        WaitOperationRequest request;
        request.set_name(operation.name());
        request.mutable_timeout()->set_seconds(seconds);
        WaitOperationResponse response;
        if (auto answered = call(context, request, response); !answered) {
            auto error = answered.error();
            error.hint = "the operation may go on without us: skep operation get " + id;
            return fail(error);
        }
        operation = response.operation();
        if (operation.has_progress()) {
            progress.stage(operation.progress().stage());
            progress.update(operation.progress().done_bytes(), operation.progress().total_bytes());
        }
    }
    if (operation.has_error())
        return fail(from_api(operation.error()));
    progress.finish();
    return operation;
}

}  // namespace skep::mgmt::cli
