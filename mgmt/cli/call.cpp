#include "mgmt/cli/call.hpp"

#include "mgmt/common/api_status.hpp"

#include <google/protobuf/descriptor.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/client_unary_call.h>
#include <grpcpp/impl/codegen/proto_utils.h>

namespace skep::mgmt::cli {

std::string method_path(const google::protobuf::Descriptor& request,
                        const google::protobuf::Descriptor& response) {
    const auto* file = request.file();
    for (int i = 0; i < file->service_count(); ++i) {
        const auto* service = file->service(i);
        for (int j = 0; j < service->method_count(); ++j) {
            const auto* method = service->method(j);
            if (method->input_type() == &request && method->output_type() == &response &&
                !method->client_streaming() && !method->server_streaming())
                return "/" + service->full_name() + "/" + method->name();
        }
    }
    return "";
}

Result<void> call(Context& context, const google::protobuf::Message& request,
                  google::protobuf::Message& response) {
    auto path = method_path(*request.GetDescriptor(), *response.GetDescriptor());
    if (path.empty())
        return fail(Error(Code::Internal, "NO_SUCH_METHOD",
                          "no method takes a " + request.GetTypeName() + " and gives a " +
                              response.GetTypeName()));
    auto channel = context.channel();
    RETURN_IF_ERROR(channel);
    grpc::ClientContext client;
    context.authorize(client);
    // What the generated stubs do, with the messages' common base.
    grpc::internal::RpcMethod method(path.c_str(), grpc::internal::RpcMethod::NORMAL_RPC, *channel);
    auto status = grpc::internal::BlockingUnaryCall<google::protobuf::MessageLite,
                                                    google::protobuf::MessageLite>(
        channel->get(), method, &client, request, &response);
    return status.ok() ? Result<void>{} : fail(from_grpc(status));
}

}  // namespace skep::mgmt::cli
