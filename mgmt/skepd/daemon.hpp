// All parts of skepd, in the order in which they need each other.
#pragma once

#include "mgmt/common/error.hpp"
#include "mgmt/skepd/auth/authority.hpp"
#include "mgmt/skepd/catalogue/catalogue.hpp"
#include "mgmt/skepd/operation/operations.hpp"
#include "mgmt/skepd/options.hpp"
#include "mgmt/skepd/server.hpp"
#include "mgmt/skepd/snapshot/snapshot_manager.hpp"
#include "mgmt/skepd/store/store.hpp"
#include "mgmt/skepd/vm/vm_manager.hpp"

#include <memory>
#include <vector>

namespace skep::mgmt {

class Daemon {
  public:
    // Opens the state, starts to serve, prints the lines that main.cpp documents.
    static Result<std::unique_ptr<Daemon>> start(const Options& options);
    // Ends calls (after two seconds at most) and guests.
    void stop();

  private:
    explicit Daemon(const Options& options) : options_(options) {}
    Result<void> open_state();
    Result<void> serve();

    Options options_;
    std::unique_ptr<Catalogue> catalogue_;
    std::unique_ptr<Store> store_;
    std::unique_ptr<Authority> authority_;
    std::unique_ptr<VmManager> vms_;
    std::unique_ptr<SnapshotManager> snapshots_;
    // Destroyed before what its operations work on: it waits for them.
    std::unique_ptr<Operations> operations_;
    std::vector<std::unique_ptr<grpc::Service>> services_;
    RunningServer server_;
};

}  // namespace skep::mgmt
