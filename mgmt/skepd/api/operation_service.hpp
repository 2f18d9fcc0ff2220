#pragma once

#include "mgmt/skepd/operation/operations.hpp"

#include <grpcpp/impl/service_type.h>

#include <memory>

namespace skep::mgmt {

std::unique_ptr<grpc::Service> make_operation_service(Operations& operations);

}  // namespace skep::mgmt
