#include "mgmt/skepd/api/operation_service.hpp"

#include "mgmt/common/api_status.hpp"
#include "mgmt/common/resource_name.hpp"
#include "mgmt/skepd/api/paging.hpp"

#include "skep/api/v1/operation_service.grpc.pb.h"

#include <algorithm>
#include <chrono>

namespace skep::mgmt {
namespace {

using namespace skep::api::v1;
using std::chrono::milliseconds;

constexpr milliseconds kDefaultWait{30'000}, kLongestWait{60'000};
// How often a waiting call looks whether its client is still there.
constexpr milliseconds kLook{1'000};

class OperationServiceImpl final : public OperationService::Service {
  public:
    explicit OperationServiceImpl(Operations& operations) : operations_(operations) {}

    grpc::Status GetOperation(grpc::ServerContext*, const GetOperationRequest* request,
                              GetOperationResponse* response) override {
        return answer(request->name(), *response,
                      [&](const std::string& id) { return operations_.get(id); });
    }

    grpc::Status ListOperations(grpc::ServerContext*, const ListOperationsRequest* request,
                                ListOperationsResponse* response) override {
        auto size = page_size(request->page_size());
        auto before = sequence_of_page_token(request->page_token());
        if (!size || !before)
            return to_grpc(!size ? size.error() : before.error());
        auto page = operations_.list(*before, *size);
        if (!page)
            return to_grpc(page.error());
        for (auto& operation : page->operations)
            *response->add_operations() = std::move(operation);
        if (page->next != 0)
            response->set_next_page_token("before:" + std::to_string(page->next));
        return grpc::Status::OK;
    }

    grpc::Status WaitOperation(grpc::ServerContext* context, const WaitOperationRequest* request,
                               WaitOperationResponse* response) override {
        auto timeout = kDefaultWait;
        if (request->has_timeout())
            timeout =
                milliseconds(std::clamp<std::int64_t>(request->timeout().seconds(), 0, 60) * 1000 +
                             request->timeout().nanos() / 1'000'000);
        auto deadline = std::chrono::steady_clock::now() + std::min(timeout, kLongestWait);
        return answer(request->name(), *response, [&](const std::string& id) {
            for (;;) {
                auto left =
                    std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
                auto operation = operations_.wait(id, std::clamp(left, milliseconds(0), kLook));
                if (!operation || operation->done() || left <= kLook || context->IsCancelled())
                    return operation;
            }
        });
    }

    grpc::Status CancelOperation(grpc::ServerContext*, const CancelOperationRequest* request,
                                 CancelOperationResponse* response) override {
        return answer(request->name(), *response,
                      [&](const std::string& id) { return operations_.cancel(id); });
    }

  private:
    template <typename Response, typename Get>
    grpc::Status answer(const std::string& name, Response& response, Get get) {
        auto id = parse_name(name, "operations", "name");
        if (!id)
            return to_grpc(id.error());
        auto operation = get(*id);
        if (!operation)
            return to_grpc(operation.error());
        *response.mutable_operation() = std::move(*operation);
        return grpc::Status::OK;
    }

    Operations& operations_;
};

}  // namespace

std::unique_ptr<grpc::Service> make_operation_service(Operations& operations) {
    return std::make_unique<OperationServiceImpl>(operations);
}

}  // namespace skep::mgmt
