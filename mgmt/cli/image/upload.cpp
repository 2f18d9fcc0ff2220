#include "mgmt/cli/commands.hpp"
#include "mgmt/cli/connect.hpp"
#include "mgmt/cli/show.hpp"
#include "mgmt/cli/size_text.hpp"
#include "mgmt/cli/transfer.hpp"

#include "skep/api/v1/image_service.grpc.pb.h"

namespace skep::mgmt::cli {
namespace {

using namespace skep::api::v1;

struct Arguments {
    std::string id, path;
};

Result<void> run(Context& context, const Arguments& arguments) {
    UploadImageRequest request;
    auto file = open_for_sending(arguments.path);
    RETURN_IF_ERROR(file);
    request.set_image_id(arguments.id);
    request.set_size_bytes(file->size);
    auto images = connect<ImageService>(context);
    RETURN_IF_ERROR(images);
    UploadImageResponse response;
    auto call = authorized(context);
    auto writer = (*images)->UploadImage(call.get(), &response);
    Progress progress("uploading images/" + arguments.id);
    auto sent = send_file(*writer, std::move(request), *file, arguments.path, progress);
    if (!sent)
        call->TryCancel();
    auto status = writer->Finish();
    RETURN_IF_ERROR(sent);
    if (!status.ok())
        return fail(from_grpc(status));
    progress.finish();
    show(context, response.image(),
         response.image().name() + " is uploaded (" + size_text(response.image().size_bytes()) +
             ")\n");
    return {};
}

}  // namespace

void add_image_upload(Parent& image, Context& context) {
    auto arguments = std::make_shared<Arguments>();
    Command command(image, "upload", "uploads a kernel, an initrd or a disk's content");
    command.positional("ID", arguments->id, "a-z, 0-9 and '-', up to 63 characters");
    command.positional("FILE", arguments->path);
    command.run(context, arguments, run);
}

}  // namespace skep::mgmt::cli
