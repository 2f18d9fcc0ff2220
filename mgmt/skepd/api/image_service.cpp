#include "mgmt/skepd/api/image_service.hpp"

#include "mgmt/common/api_status.hpp"
#include "mgmt/common/digest.hpp"
#include "mgmt/common/resource_name.hpp"
#include "mgmt/common/text.hpp"
#include "mgmt/skepd/api/paging.hpp"
#include "mgmt/skepd/api/upload.hpp"
#include "mgmt/skepd/catalogue/records.hpp"
#include "mgmt/skepd/clock.hpp"

#include "skep/api/v1/image_service.grpc.pb.h"

#include <unistd.h>

namespace skep::mgmt {
namespace {

using namespace skep::api::v1;

class ImageServiceImpl final : public ImageService::Service {
  public:
    ImageServiceImpl(Catalogue& catalogue, const Store& store, VmManager& vms)
        : catalogue_(catalogue), store_(store), vms_(vms) {}

    grpc::Status UploadImage(grpc::ServerContext* context,
                             grpc::ServerReader<UploadImageRequest>* reader,
                             UploadImageResponse* response) override {
        auto image = upload(*context, *reader);
        if (!image)
            return to_grpc(image.error());
        *response->mutable_image() = std::move(*image);
        return grpc::Status::OK;
    }

    grpc::Status ListImages(grpc::ServerContext*, const ListImagesRequest* request,
                            ListImagesResponse* response) override {
        auto next = list_page<Image>(catalogue_, Table::Images, *request,
                                     [&] { return response->add_images(); });
        if (!next)
            return to_grpc(next.error());
        response->set_next_page_token(*next);
        return grpc::Status::OK;
    }

    grpc::Status GetImage(grpc::ServerContext*, const GetImageRequest* request,
                          GetImageResponse* response) override {
        auto image = find(request->name());
        if (!image)
            return to_grpc(image.error());
        *response->mutable_image() = std::move(*image);
        return grpc::Status::OK;
    }

    grpc::Status DeleteImage(grpc::ServerContext*, const DeleteImageRequest* request,
                             DeleteImageResponse*) override {
        return to_grpc(remove(*request));
    }

  private:
    Result<Image> find(const std::string& name) {
        auto id = parse_name(name, "images", "name");
        RETURN_IF_ERROR(id);
        return get_record<Image>(catalogue_, Table::Images, *id);
    }

    Result<Image> upload(grpc::ServerContext& context,
                         grpc::ServerReader<UploadImageRequest>& reader) {
        UploadImageRequest request;
        if (!reader.Read(&request))
            return fail(
                Error(Code::InvalidArgument, "EMPTY_UPLOAD", "the upload has no first message"));
        auto id = parse_id(request.image_id(), "image_id");
        RETURN_IF_ERROR(id);
        auto name = "images/" + *id;
        auto exists = Error(Code::AlreadyExists, "ALREADY_EXISTS", name + " exists already")
                          .on(name)
                          .with_hint("choose another id, or delete it: skep image delete " + *id);
        if (catalogue_.get(Table::Images, *id))
            return fail(exists);
        auto wanted_digest = request.sha256();
        auto file = PartialFile::create(store_.images(), *id, 0600);
        RETURN_IF_ERROR(file);
        Digest digest;
        RETURN_IF_ERROR(receive_file(context, reader, request, name, *file,
                                     [&](const std::string& chunk) { digest.update(chunk); }));
        Image image;
        image.set_name(name);
        image.set_uid(random_hex(8));
        image.set_sha256(digest.hex());
        if (!wanted_digest.empty() && wanted_digest != image.sha256())
            return fail(
                Error(Code::DataLoss, "DIGEST_MISMATCH",
                      name + " arrived with SHA-256 " + image.sha256() + ", not " + wanted_digest)
                    .on(name));
        auto size = file_size(file->fd(), name);
        RETURN_IF_ERROR(size);
        image.set_size_bytes(*size);
        *image.mutable_create_time() = timestamp_now();
        // Of two uploads with the same id the first to arrive wins: the file is put in place only
        // under the lock, and only if there is no record.
        std::lock_guard lock(mutex_);
        if (catalogue_.get(Table::Images, *id))
            return fail(exists);
        RETURN_IF_ERROR(file->commit());
        auto revision = catalogue_.insert(Table::Images, *id, image.SerializeAsString());
        if (!revision) {
            ::unlink(store_.image(*id).c_str());
            return fail(revision.error());
        }
        image.set_etag(etag_of(image, *revision));
        return image;
    }

    Result<void> remove(const DeleteImageRequest& request) {
        std::lock_guard lock(mutex_);
        auto image = find(request.name());
        RETURN_IF_ERROR(image);
        RETURN_IF_ERROR(check_etag(*image, request.etag()));
        auto id = parse_name(image->name(), "images", "name");
        RETURN_IF_ERROR(id);
        auto user = vms_.user_of_image(*id);
        RETURN_IF_ERROR(user);
        if (!user->empty())
            return fail(Error(Code::FailedPrecondition, "IMAGE_IN_USE",
                              *user + " boots from " + image->name())
                            .on(image->name())
                            .with_hint("delete the VM first"));
        RETURN_IF_ERROR(catalogue_.remove(Table::Images, *id));
        return remove_tree(store_.image(*id));
    }

    Catalogue& catalogue_;
    const Store& store_;
    VmManager& vms_;
    std::mutex mutex_;  // images enter and leave one at a time
};

}  // namespace

std::unique_ptr<grpc::Service> make_image_service(Catalogue& catalogue, const Store& store,
                                                  VmManager& vms) {
    return std::make_unique<ImageServiceImpl>(catalogue, store, vms);
}

}  // namespace skep::mgmt
