// Saved guests: made from running VMs, made into VMs, taken in from outside.
//
// A snapshot is a file; the record beside it in the catalogue is a summary. No file gets a record
// before it is whole: saved to the end, or imported and verified by the snapshot library.
#pragma once

#include "mgmt/common/error.hpp"
#include "mgmt/skepd/catalogue/catalogue.hpp"
#include "mgmt/skepd/operation/operations.hpp"
#include "mgmt/skepd/store/store.hpp"
#include "mgmt/skepd/vm/vm_manager.hpp"

#include "skep/api/v1/snapshot_service.pb.h"

#include <mutex>
#include <set>
#include <string>

namespace skep::mgmt {

class SnapshotManager {
  public:
    using Snapshot = skep::api::v1::Snapshot;
    using Operation = skep::api::v1::Operation;

    SnapshotManager(Catalogue& catalogue, Operations& operations, const Store& store,
                    VmManager& vms)
        : catalogue_(catalogue), operations_(operations), store_(store), vms_(vms) {}

    Result<Operation> save(const std::string& vm, const std::string& id, bool stop,
                           const std::string& request_id);
    Result<Operation> restore(const std::string& id, const std::string& vm, bool paused,
                              const std::string& request_id);
    Result<Snapshot> get(const std::string& id);
    Result<void> remove(const std::string& id, const std::string& etag);

    // An id that is being made: held from before the first byte until the record is there, so that
    // two makers of the same snapshot do not both work to the end.
    class Reservation {
      public:
        Reservation(SnapshotManager& manager, std::string id)
            : manager_(manager), id_(std::move(id)) {}
        ~Reservation();
        Reservation(const Reservation&) = delete;

      private:
        SnapshotManager& manager_;
        std::string id_;
    };
    // ALREADY_EXISTS if it is there or in the making.
    Result<std::shared_ptr<Reservation>> reserve(const std::string& id);

    // Judges a received file, and if it is good makes it snapshots/ID. DATA_LOSS,
    // FAILED_PRECONDITION (made for a newer Skep) or INVALID_ARGUMENT name the record and the
    // offset.
    Result<Snapshot> admit(const std::string& id, PartialFile file);

  private:
    Operations::Outcome save_now(const std::string& vm, const std::string& id, bool stop,
                                 Operations::Handle& handle);
    Operations::Outcome restore_now(const Snapshot& snapshot, const std::string& vm, bool paused,
                                    Operations::Handle& handle);
    Result<Snapshot> record(const std::string& id, Snapshot snapshot, PartialFile file);

    Catalogue& catalogue_;
    Operations& operations_;
    const Store& store_;
    VmManager& vms_;
    std::mutex mutex_;
    std::set<std::string> reserved_;
};

}  // namespace skep::mgmt
