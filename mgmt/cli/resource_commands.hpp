// Commands that several resources have in the same form.
#pragma once

#include "mgmt/cli/call.hpp"
#include "mgmt/cli/command.hpp"
#include "mgmt/cli/show.hpp"

#include <memory>
#include <string>

namespace skep::mgmt::cli {

struct ResourceArguments {
    std::string id, etag;
};

// `verb ID`: the call's response has the resource, which is shown whole.
template <typename Request, typename Response, auto resource_of>
void add_showing(Parent& parent, Context& context, const char* verb, const char* description) {
    auto arguments = std::make_shared<ResourceArguments>();
    Command command(parent, verb, description);
    command.positional("ID", arguments->id);
    command.run(
        context, arguments, +[](Context& within, const ResourceArguments& given) -> Result<void> {
            Request request;
            request.set_name(given.id);
            Response response;
            RETURN_IF_ERROR(call(within, request, response));
            const auto& resource = (response.*resource_of)();
            show(within, resource, details(resource));
            return {};
        });
}

inline void take_etag(Command& command, std::string& etag) {
    command.option("--etag", etag, "only if it is still as it was at this etag");
}

// The rest of `delete ID`, once the request says what else there is to say.
template <typename Response, typename Request>
Result<void> call_delete(Context& context, Request request, const ResourceArguments& given,
                         const char* collection) {
    request.set_name(given.id);
    request.set_etag(given.etag);
    Response response;
    RETURN_IF_ERROR(call(context, request, response));
    show(context, response, collection + ("/" + id_text(given.id)) + " is deleted\n");
    return {};
}

}  // namespace skep::mgmt::cli
