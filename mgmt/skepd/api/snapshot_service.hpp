#pragma once

#include "mgmt/skepd/catalogue/catalogue.hpp"
#include "mgmt/skepd/snapshot/snapshot_manager.hpp"
#include "mgmt/skepd/store/store.hpp"

#include <grpcpp/impl/service_type.h>

#include <memory>

namespace skep::mgmt {

std::unique_ptr<grpc::Service> make_snapshot_service(Catalogue& catalogue, const Store& store,
                                                     SnapshotManager& snapshots);

}  // namespace skep::mgmt
