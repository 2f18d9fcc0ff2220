#pragma once

#include "mgmt/skepd/catalogue/catalogue.hpp"
#include "mgmt/skepd/store/store.hpp"
#include "mgmt/skepd/vm/vm_manager.hpp"

#include <grpcpp/impl/service_type.h>

#include <memory>

namespace skep::mgmt {

std::unique_ptr<grpc::Service> make_image_service(Catalogue& catalogue, const Store& store,
                                                  VmManager& vms);

}  // namespace skep::mgmt
