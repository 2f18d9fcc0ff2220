// The state directory:
//
//   catalogue.db       what there is
//   tls/               the server's key and certificate
//   images/ID          contents of images
//   snapshots/ID       saved guests
//   vms/ID/DISK        disks of VMs
//
// A file comes before its record and goes after it, so that what a cut-off run leaves is a file
// without a record; tidy() removes those, and everything partial.
#pragma once

#include "mgmt/common/error.hpp"
#include "mgmt/common/files.hpp"
#include "mgmt/skepd/catalogue/catalogue.hpp"

#include "skep/vm/v1/spec.pb.h"

#include <cstdint>
#include <functional>
#include <string>

namespace skep::mgmt {

class Store {
  public:
    static Result<Store> open(const std::string& state_dir);
    Result<void> tidy(Catalogue& catalogue);

    std::string images() const { return root_ + "/images"; }
    std::string snapshots() const { return root_ + "/snapshots"; }
    std::string vms() const { return root_ + "/vms"; }
    std::string image(const std::string& id) const { return images() + "/" + id; }
    std::string snapshot(const std::string& id) const { return snapshots() + "/" + id; }
    std::string disk(const std::string& vm, const std::string& disk) const {
        return vms() + "/" + vm + "/" + disk;
    }

    // Called between pieces of long work; false ends it with CANCELLED.
    using Progress = std::function<bool(std::uint64_t done, std::uint64_t total)>;
    // Makes a VM's disks, all of them or none: of their size, with the content of their image if
    // they name one (`with_content`), else empty.
    Result<void> make_disks(const std::string& vm, const skep::vm::v1::MachineSpec& spec,
                            bool with_content, const Progress& progress) const;
    Result<void> remove_disks(const std::string& vm) const;

  private:
    explicit Store(std::string root) : root_(std::move(root)) {}
    std::string root_;
};

}  // namespace skep::mgmt
