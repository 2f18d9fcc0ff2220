// Unary calls without gRPC's headers: GetVmResponse response; RETURN_IF_ERROR(call(context,
// request, response));
//
// The method follows from the request: each method of the API has a request type of its own (buf's
// RPC_REQUEST_RESPONSE_UNIQUE).
#pragma once

#include "mgmt/cli/context.hpp"
#include "mgmt/common/error.hpp"

#include <google/protobuf/message.h>

#include <string>

namespace skep::mgmt::cli {

// INTERNAL if no method takes that request and gives that response.
Result<void> call(Context& context, const google::protobuf::Message& request,
                  google::protobuf::Message& response);

// "/skep.api.v1.VmService/GetVm" for a GetVmRequest; empty if there is none.
std::string method_path(const google::protobuf::Descriptor& request,
                        const google::protobuf::Descriptor& response);

// All pages of a list method, in one response.
template <typename Request, typename Response>
Result<void> call_for_all_pages(Context& context, Request request, Response& all) {
    for (;;) {
        Response page;
        RETURN_IF_ERROR(call(context, request, page));
        auto token = page.next_page_token();
        page.clear_next_page_token();
        all.MergeFrom(page);
        if (token.empty())
            return {};
        request.set_page_token(token);
    }
}

}  // namespace skep::mgmt::cli
