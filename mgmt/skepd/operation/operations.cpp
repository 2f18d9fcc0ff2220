#include "mgmt/skepd/operation/operations.hpp"

#include "mgmt/common/api_status.hpp"
#include "mgmt/common/text.hpp"
#include "mgmt/skepd/clock.hpp"

#include <cstdio>
#include <thread>

namespace skep::mgmt {
namespace {

using skep::api::v1::Operation;

constexpr int kKeptOperations = 1000;

std::string id_of(const Operation& operation) {
    return operation.name().substr(operation.name().find('/') + 1);
}

void finish(Operation& operation, const Operations::Outcome& outcome) {
    operation.set_done(true);
    *operation.mutable_end_time() = timestamp_now();
    if (outcome)
        operation.mutable_response()->PackFrom(**outcome);
    else
        *operation.mutable_error() = to_api(outcome.error());
}

}  // namespace

Operations::~Operations() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return running_.empty(); });
}

void Operations::Handle::progress(const std::string& stage, std::uint64_t done_bytes,
                                  std::uint64_t total_bytes) {
    std::lock_guard lock(owner_->mutex_);
    auto& progress = *operation_.mutable_progress();
    progress.set_stage(stage);
    progress.set_done_bytes(done_bytes);
    progress.set_total_bytes(total_bytes);
}

Result<std::optional<Operation>> Operations::earlier(const std::string& kind,
                                                     const std::string& request_id) {
    if (request_id.empty())
        return std::nullopt;
    auto id = catalogue_.operation_of_request(kind, request_id);
    RETURN_IF_ERROR(id);
    if (!*id)
        return std::nullopt;
    auto operation = get(**id);
    RETURN_IF_ERROR(operation);
    return *operation;
}

Result<Operation> Operations::begin(const std::string& kind, const std::string& target,
                                    const std::string& request_id, Body body) {
    auto id = "op-" + random_hex(6);
    auto handle = std::make_shared<Handle>();
    handle->owner_ = this;
    auto& operation = handle->operation_;
    operation.set_name("operations/" + id);
    operation.set_kind(kind);
    operation.set_target(target);
    *operation.mutable_create_time() = timestamp_now();
    auto begun = operation;
    RETURN_IF_ERROR(catalogue_.insert(Table::Operations, id, operation.SerializeAsString()));
    if (!request_id.empty())
        RETURN_IF_ERROR(catalogue_.remember_request(kind, request_id, id));
    {
        std::lock_guard lock(mutex_);
        running_[id] = handle;
    }
    try {
        std::thread([this, handle, work = std::move(body)]() mutable {
            run(handle, std::move(work));
        }).detach();
    } catch (const std::system_error& error) {
        Outcome outcome = fail(Error(Code::ResourceExhausted, "NO_THREAD",
                                     std::string("cannot begin the operation: ") + error.what()));
        std::lock_guard lock(mutex_);
        finish(operation, outcome);
        running_.erase(id);
        RETURN_IF_ERROR(catalogue_.update(Table::Operations, id, operation.SerializeAsString()));
        return operation;
    }
    return begun;
}

void Operations::run(std::shared_ptr<Handle> handle, Body body) {
    auto outcome = body(*handle);
    // What the body holds (the VM it claimed) is let go before anybody sees the operation done.
    body = nullptr;
    std::lock_guard lock(mutex_);
    auto& operation = handle->operation_;
    finish(operation, outcome);
    if (!outcome)
        std::printf("skepd: %s of %s failed: %s\n", operation.kind().c_str(),
                    operation.target().c_str(), outcome.error().message.c_str());
    auto id = id_of(operation);
    if (auto stored = catalogue_.update(Table::Operations, id, operation.SerializeAsString());
        !stored)
        std::printf("skepd: %s\n", stored.error().message.c_str());
    if (auto pruned = catalogue_.prune_operations(kKeptOperations); !pruned)
        std::printf("skepd: %s\n", pruned.error().message.c_str());
    running_.erase(id);
    changed_.notify_all();
}

Result<Operation> Operations::stored(const std::string& id) {
    auto row = catalogue_.get(Table::Operations, id);
    RETURN_IF_ERROR(row);
    Operation operation;
    if (!operation.ParseFromString(row->record))
        return fail(Error(Code::DataLoss, "CATALOGUE_DAMAGED",
                          "the record of operations/" + id + " is damaged"));
    return operation;
}

Result<Operation> Operations::get(const std::string& id) {
    return wait(id, std::chrono::milliseconds(0));
}

Result<Operation> Operations::wait(const std::string& id, std::chrono::milliseconds timeout) {
    {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, timeout, [&] { return !running_.contains(id); });
        if (auto found = running_.find(id); found != running_.end())
            return found->second->operation_;
    }
    return stored(id);
}

Result<Operation> Operations::cancel(const std::string& id) {
    {
        std::lock_guard lock(mutex_);
        if (auto found = running_.find(id); found != running_.end()) {
            auto& handle = *found->second;
            if (!handle.cancellable_)
                return fail(Error(Code::FailedPrecondition, "NOT_CANCELLABLE",
                                  "operations/" + id + " (" + handle.operation_.kind() +
                                      ") cannot be stopped halfway")
                                .on("operations/" + id));
            handle.cancelled_ = true;
            return handle.operation_;
        }
    }
    return stored(id);  // done already: nothing to cancel (AIP-151)
}

Result<Operations::Page> Operations::list(std::int64_t before, int limit) {
    auto rows = catalogue_.list_newest(Table::Operations, before, limit);
    RETURN_IF_ERROR(rows);
    Page page;
    for (const auto& row : *rows) {
        auto operation = get(row.id);
        if (operation)
            page.operations.push_back(std::move(*operation));
    }
    if (static_cast<int>(rows->size()) == limit)
        page.next = rows->back().sequence;
    return page;
}

Result<void> Operations::abort_unfinished() {
    std::int64_t before = 0;
    for (;;) {
        auto rows = catalogue_.list_newest(Table::Operations, before, 100);
        RETURN_IF_ERROR(rows);
        if (rows->empty())
            return {};
        for (const auto& row : *rows) {
            Operation operation;
            if (!operation.ParseFromString(row.record) || operation.done())
                continue;
            finish(operation, fail(Error(Code::Aborted, "SKEPD_RESTARTED",
                                         "skepd ended while this was under way")));
            RETURN_IF_ERROR(
                catalogue_.update(Table::Operations, row.id, operation.SerializeAsString()));
        }
        before = rows->back().sequence;
    }
}

}  // namespace skep::mgmt
