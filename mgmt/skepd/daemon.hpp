// All parts of skepd, in the order in which they need each other.
#pragma once

#include "mgmt/common/error.hpp"
#include "mgmt/skepd/auth/authority.hpp"
#include "mgmt/skepd/catalogue/catalogue.hpp"
#include "mgmt/skepd/options.hpp"
#include "mgmt/skepd/server.hpp"

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

    Options options_;
    std::unique_ptr<Catalogue> catalogue_;
    std::unique_ptr<Authority> authority_;
    std::vector<std::unique_ptr<grpc::Service>> services_;
    RunningServer server_;
};

}  // namespace skep::mgmt
