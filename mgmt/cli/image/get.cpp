#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/resource_commands.hpp"

#include "skep/api/v1/image_service.pb.h"

namespace skep::mgmt::cli {

using namespace skep::api::v1;

void add_image_get(Parent& image, Context& context) {
    add_showing<GetImageRequest, GetImageResponse, &GetImageResponse::image>(image, context, "get",
                                                                             "all about an image");
}

}  // namespace skep::mgmt::cli
