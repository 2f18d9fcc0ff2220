// Work that outlives the call that began it (AIP-151). Each operation runs on a thread of its own;
// its record is in the catalogue from the start, so that one that a power cut interrupted is found
// and said to be aborted.
#pragma once

#include "mgmt/common/error.hpp"
#include "mgmt/skepd/catalogue/catalogue.hpp"

#include "skep/api/v1/operation_service.pb.h"

#include <google/protobuf/message.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace skep::mgmt {

class Operations {
  public:
    explicit Operations(Catalogue& catalogue) : catalogue_(catalogue) {}
    // Waits for those that run.
    ~Operations();

    // What an operation's body sees of it.
    class Handle {
      public:
        void progress(const std::string& stage, std::uint64_t done_bytes,
                      std::uint64_t total_bytes);
        bool cancelled() const { return cancelled_; }
        // From here on cancelling is refused (or, by default, until a body says that it looks).
        void allow_cancel(bool allowed) { cancellable_ = allowed; }

      private:
        friend class Operations;
        Operations* owner_ = nullptr;
        skep::api::v1::Operation operation_;  // under the owner's mutex
        std::atomic<bool> cancelled_ = false, cancellable_ = false;
    };

    using Outcome =
        Result<std::unique_ptr<google::protobuf::Message>>;  // the resource it made or changed
    using Body = std::move_only_function<Outcome(Handle&)>;

    // The operation that a request with this id began before, if any.
    Result<std::optional<skep::api::v1::Operation>> earlier(const std::string& kind,
                                                            const std::string& request_id);
    Result<skep::api::v1::Operation> begin(const std::string& kind, const std::string& target,
                                           const std::string& request_id, Body body);

    Result<skep::api::v1::Operation> get(const std::string& id);
    // As it is when it is done or when the time is over.
    Result<skep::api::v1::Operation> wait(const std::string& id, std::chrono::milliseconds timeout);
    Result<skep::api::v1::Operation> cancel(const std::string& id);
    struct Page {
        std::vector<skep::api::v1::Operation> operations;
        std::int64_t next = 0;  // 0: no more
    };
    Result<Page> list(std::int64_t before, int limit);

    // At start: what an earlier skepd left unfinished is aborted.
    Result<void> abort_unfinished();

  private:
    void run(std::shared_ptr<Handle> handle, Body body);
    Result<skep::api::v1::Operation> stored(const std::string& id);

    Catalogue& catalogue_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::string, std::shared_ptr<Handle>> running_;
};

}  // namespace skep::mgmt
