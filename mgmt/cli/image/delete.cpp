#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/show.hpp"
#include "mgmt/cli/unary.hpp"

#include "skep/api/v1/image_service.grpc.pb.h"

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
    auto response = unary<ImageService>(context, &ImageService::Stub::DeleteImage, request);
    RETURN_IF_ERROR(response);
    show(context, *response, "images/" + id_text(arguments.id) + " is deleted\n");
    return {};
}

}  // namespace

void add_image_delete(CLI::App& image, Context& context) {
    auto arguments = std::make_shared<Arguments>();
    auto* command = image.add_subcommand("delete", "deletes an image");
    command->add_option("ID", arguments->id)->required();
    command->add_option("--etag", arguments->etag, "only if it is still as it was at this etag");
    on_chosen(command, context, arguments, run);
}

}  // namespace skep::mgmt::cli
