#include "mgmt/cli/call.hpp"
#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/show.hpp"
#include "mgmt/cli/size_text.hpp"

#include "skep/api/v1/image_service.pb.h"

namespace skep::mgmt::cli {
namespace {

using namespace skep::api::v1;

Result<void> run(Context& context) {
    ListImagesResponse all;
    RETURN_IF_ERROR(call_for_all_pages(context, ListImagesRequest(), all));
    std::vector<TableRow> rows = {{"NAME", "SIZE", "SHA-256", "CREATED"}};
    for (const auto& image : all.images())
        rows.push_back({id_text(image.name()), size_text(image.size_bytes()),
                        image.sha256().substr(0, 12), time_text(image.create_time())});
    show(context, all, table_text(rows));
    return {};
}

}  // namespace

void add_image_list(Parent& image, Context& context) {
    Command command(image, "list", "the images");
    command.run(context, run);
}

}  // namespace skep::mgmt::cli
