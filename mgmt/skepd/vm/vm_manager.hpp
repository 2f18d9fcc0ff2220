// The VMs of this appliance: their records, and the guests that run.
//
// A VM is worked on by one operation at a time: whoever wants to start, stop, save or delete it
// claims it first. A guest that ends by itself changes its VM's state whatever holds the claim.
//
// Locks: mutex_ guards the map and the records of VMs; it is not held while a guest is asked for
// something. Order: mutex_ before the catalogue's own.
#pragma once

#include "mgmt/common/error.hpp"
#include "mgmt/skepd/catalogue/catalogue.hpp"
#include "mgmt/skepd/guest/guest.hpp"
#include "mgmt/skepd/operation/operations.hpp"
#include "mgmt/skepd/store/store.hpp"

#include "skep/api/v1/vm_service.pb.h"

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace skep::mgmt {

class VmManager {
  public:
    VmManager(Catalogue& catalogue, Operations& operations, const Store& store, VmmPaths paths)
        : catalogue_(catalogue), operations_(operations), store_(store), paths_(std::move(paths)) {}
    ~VmManager();

    using Vm = skep::api::v1::Vm;
    using Operation = skep::api::v1::Operation;

    // At start: guests of an earlier skepd ended with it; half-made VMs are removed.
    Result<void> recover();
    // Ends every guest.
    void stop_all();

    Result<Operation> create(const std::string& id, const Vm& vm, const std::string& request_id);
    Result<Operation> start(const std::string& id, const std::string& etag,
                            const std::string& request_id);
    Result<Operation> stop(const std::string& id, const std::string& etag,
                           const std::string& request_id);
    Result<void> remove(const std::string& id, const std::string& etag, bool force);
    Result<Vm> get(const std::string& id);
    std::size_t running() const;
    // The name of a VM whose spec boots from images/ID, if there is one.
    Result<std::string> user_of_image(const std::string& id);

    // A claim on a VM: nobody else works on it until it is let go.
    class Claim {
      public:
        Claim(VmManager& manager, std::string id) : manager_(manager), id_(std::move(id)) {}
        ~Claim();
        Claim(const Claim&) = delete;
        const std::string& id() const { return id_; }

      private:
        VmManager& manager_;
        std::string id_;
    };
    // FAILED_PRECONDITION if somebody else has it.
    Result<std::shared_ptr<Claim>> claim(const std::string& id);

    // For snapshots, with the claim held.
    Result<Vm> insert(const Vm& vm);
    Result<Vm> set_state(const std::string& id, skep::api::v1::VmState state,
                         const std::string& detail);
    Result<void> discard(const std::string& id);  // record and disks
    // Starts a guest's process for the VM. The console of its last run is forgotten.
    Result<std::shared_ptr<Guest>> launch(const std::string& id);
    std::shared_ptr<Guest> guest(const std::string& id) const;  // null: none runs
    void end_guest(const std::string& id);                      // returns when it is gone
    Result<std::vector<UniqueFd>> open_disks(const std::string& id,
                                             const skep::vm::v1::MachineSpec& spec) const;
    // Configured from the spec and running, or an error and nothing left.
    Result<Vm> boot(const std::string& id);

    const VmmPaths& paths() const { return paths_; }

    // The console of the guest that runs, or of the last one since skepd started. Null: none.
    std::shared_ptr<ConsoleBuffer> console(const std::string& id) const;
    // Error if the guest does not run.
    Result<void> type(const std::string& id, std::string_view bytes);

  private:
    struct Live {
        std::shared_ptr<Guest> guest;  // null once it has ended
        std::shared_ptr<ConsoleBuffer> console;
        std::uint64_t run = 0;  // which of the VM's runs it is
    };

    void guest_ended(const std::string& id, std::uint64_t run, const GuestEnd& end);
    Result<Vm> store_state(const std::string& id, skep::api::v1::VmState state,
                           const std::string& detail);
    std::vector<std::shared_ptr<Guest>> take_ended();

    Catalogue& catalogue_;
    Operations& operations_;
    const Store& store_;
    VmmPaths paths_;
    mutable std::mutex mutex_;
    std::map<std::string, Live> live_;
    std::set<std::string> claimed_;
    std::uint64_t runs_ = 0;
    // Guests that have ended, to be joined by another thread than their own.
    std::vector<std::shared_ptr<Guest>> ended_;
};

// An error for want of memory says what can be done.
Error with_memory_hint(Error error);

// "running", "stopped": as people are told.
std::string state_text(skep::api::v1::VmState state);

}  // namespace skep::mgmt
