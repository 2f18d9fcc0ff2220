#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/resource_commands.hpp"

#include "skep/api/v1/image_service.pb.h"

namespace skep::mgmt::cli {

using namespace skep::api::v1;

void add_image_delete(Parent& image, Context& context) {
    auto arguments = std::make_shared<ResourceArguments>();
    Command command(image, "delete", "deletes an image");
    command.positional("ID", arguments->id);
    take_etag(command, arguments->etag);
    command.run(
        context, arguments, +[](Context& within, const ResourceArguments& given) {
            return call_delete<DeleteImageResponse>(within, DeleteImageRequest(), given, "images");
        });
}

}  // namespace skep::mgmt::cli
