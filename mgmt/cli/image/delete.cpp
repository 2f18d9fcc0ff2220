#include "mgmt/cli/call.hpp"
#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/show.hpp"

#include "skep/api/v1/image_service.pb.h"

namespace skep::mgmt::cli {
namespace {

using namespace skep::api::v1;

struct Arguments {
    std::string id, etag;
};

Result<void> run(Context& context, const Arguments& arguments) {
    DeleteImageRequest request;
    request.set_name(arguments.id);
    request.set_etag(arguments.etag);
    DeleteImageResponse response;
    RETURN_IF_ERROR(call(context, request, response));
    show(context, response, "images/" + id_text(arguments.id) + " is deleted\n");
    return {};
}

}  // namespace

void add_image_delete(Parent& image, Context& context) {
    auto arguments = std::make_shared<Arguments>();
    Command command(image, "delete", "deletes an image");
    command.positional("ID", arguments->id);
    command.option("--etag", arguments->etag, "only if it is still as it was at this etag");
    command.run(context, arguments, run);
}

}  // namespace skep::mgmt::cli
