#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/show.hpp"
#include "mgmt/cli/unary.hpp"

#include "skep/api/v1/image_service.grpc.pb.h"

namespace skep::mgmt::cli {
namespace {

using namespace skep::api::v1;

struct Arguments {
    std::string id;
};

Result<void> run(Context& context, const Arguments& arguments) {
    GetImageRequest request;
    request.set_name(arguments.id);
    auto response = unary<ImageService>(context, &ImageService::Stub::GetImage, request);
    RETURN_IF_ERROR(response);
    show(context, response->image(), details(response->image()));
    return {};
}

}  // namespace

void add_image_get(CLI::App& image, Context& context) {
    auto arguments = std::make_shared<Arguments>();
    auto* command = image.add_subcommand("get", "all about an image");
    command->add_option("ID", arguments->id)->required();
    on_chosen(command, context, arguments, run);
}

}  // namespace skep::mgmt::cli
