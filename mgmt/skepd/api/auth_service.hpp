#pragma once

#include "mgmt/skepd/auth/authority.hpp"

#include <grpcpp/impl/service_type.h>

#include <memory>

namespace skep::mgmt {

std::unique_ptr<grpc::Service> make_auth_service(Authority& authority);

}  // namespace skep::mgmt
