#include "mgmt/cli/call.hpp"
#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/show.hpp"

#include "skep/api/v1/image_service.pb.h"

namespace skep::mgmt::cli {
namespace {

using namespace skep::api::v1;

struct Arguments {
    std::string id;
};

Result<void> run(Context& context, const Arguments& arguments) {
    GetImageRequest request;
    request.set_name(arguments.id);
    GetImageResponse response;
    RETURN_IF_ERROR(call(context, request, response));
    show(context, response.image(), details(response.image()));
    return {};
}

}  // namespace

void add_image_get(Parent& image, Context& context) {
    auto arguments = std::make_shared<Arguments>();
    Command command(image, "get", "all about an image");
    command.positional("ID", arguments->id);
    command.run(context, arguments, run);
}

}  // namespace skep::mgmt::cli
