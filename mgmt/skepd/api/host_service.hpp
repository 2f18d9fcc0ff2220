#pragma once

#include "mgmt/skepd/options.hpp"
#include "mgmt/skepd/vm/vm_manager.hpp"

#include <grpcpp/impl/service_type.h>

#include <memory>

namespace skep::mgmt {

std::unique_ptr<grpc::Service> make_host_service(const Options& options, const VmManager& vms);

}  // namespace skep::mgmt
