// A unary call in one line: auto response = unary(context, &VmService::Stub::GetVm, *vms, request).
#pragma once

#include "mgmt/cli/context.hpp"
#include "mgmt/common/api_status.hpp"

namespace skep::mgmt::cli {

template <typename Service, typename Request, typename Response>
Result<Response> unary(Context& context,
                       grpc::Status (Service::Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                       const Request& request) {
    auto stub = connect<Service>(context);
    RETURN_IF_ERROR(stub);
    Response response;
    auto call = context.call();
    auto status = ((**stub).*method)(call.get(), request, &response);
    if (!status.ok())
        return fail(from_grpc(status));
    return response;
}

// All pages of a list method, in one response.
template <typename Service, typename Request, typename Response>
Result<Response> all_pages(Context& context,
                           grpc::Status (Service::Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                           Request request) {
    Response all;
    for (;;) {
        auto page = unary<Service>(context, method, request);
        RETURN_IF_ERROR(page);
        auto token = page->next_page_token();
        page->clear_next_page_token();
        all.MergeFrom(*page);
        if (token.empty())
            return all;
        request.set_page_token(token);
    }
}

}  // namespace skep::mgmt::cli
