#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/show.hpp"
#include "mgmt/cli/size_text.hpp"
#include "mgmt/cli/unary.hpp"

#include "skep/api/v1/image_service.grpc.pb.h"

namespace skep::mgmt::cli {
namespace {

using namespace skep::api::v1;

struct Arguments {};

Result<void> run(Context& context, const Arguments&) {
    auto all = all_pages<ImageService>(context, &ImageService::Stub::ListImages, ListImagesRequest());
    RETURN_IF_ERROR(all);
    std::vector<TableRow> rows = {{"NAME", "SIZE", "SHA-256", "CREATED"}};
    for (const auto& image : all->images())
        rows.push_back({id_text(image.name()), size_text(image.size_bytes()), image.sha256().substr(0, 12), time_text(image.create_time())});
    show(context, *all, table_text(rows));
    return {};
}

}  // namespace

void add_image_list(CLI::App& image, Context& context) {
    auto* command = image.add_subcommand("list", "the images");
    on_chosen(command, context, std::make_shared<Arguments>(), run);
}

}  // namespace skep::mgmt::cli
