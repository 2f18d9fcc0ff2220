// What the appliance knows: VMs, images, snapshots, operations, credentials, in one SQLite file.
//
// A row is an id, a revision that grows with every change, and a protobuf message (of skep.api.v1)
// as bytes: the API's own compatibility rules then hold for the disk too.
//
// Journal: WAL with locking_mode=EXCLUSIVE, synchronous=FULL. skepd is the only process that opens
// the file, and an exclusive WAL keeps its index on the heap, so that no shared memory mapping of a
// file is needed; every change is synced before the call returns.
//
// Thread-safe: one connection behind one mutex; calls are short.
#pragma once

#include "mgmt/common/error.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace skep::mgmt {

enum class Table {
    Vms,
    Images,
    Snapshots,
    Operations,
    Credentials
};

const char* table_name(Table table);  // also the collection in resource names: "vms"

struct Row {
    std::string id;
    std::int64_t revision = 0;
    std::int64_t sequence = 0;  // order of insertion
    std::string record;
};

class Catalogue {
  public:
    // Makes the file if it is missing. Refuses a file of a newer schema.
    static Result<std::unique_ptr<Catalogue>> open(const std::string& path);
    ~Catalogue();
    Catalogue(const Catalogue&) = delete;
    Catalogue& operator=(const Catalogue&) = delete;

    // -> revision 1. ALREADY_EXISTS names the resource.
    Result<std::int64_t> insert(Table table, const std::string& id, const std::string& record);
    // -> the new revision. NOT_FOUND names the resource.
    Result<std::int64_t> update(Table table, const std::string& id, const std::string& record);
    Result<void> remove(Table table, const std::string& id);
    Result<Row> get(Table table, const std::string& id);
    // By id, those after `after_id`, at most `limit`.
    Result<std::vector<Row>> list(Table table, const std::string& after_id, int limit);
    // Newest first, those inserted before `before_sequence` (0: all), at most `limit`.
    Result<std::vector<Row>> list_newest(Table table, std::int64_t before_sequence, int limit);

    // Single values: digests of tokens, the host's identity.
    Result<std::optional<std::string>> setting(const std::string& key);
    Result<void> set_setting(const std::string& key, const std::string& value);

    // Requests seen (AIP-155): which operation a request_id of a method began.
    Result<std::optional<std::string>> operation_of_request(const std::string& method,
                                                            const std::string& request_id);
    Result<void> remember_request(const std::string& method, const std::string& request_id,
                                  const std::string& operation_id);
    // Forgets finished work: keeps the newest `keep` operations and their requests.
    Result<void> prune_operations(int keep);

  private:
    explicit Catalogue(sqlite3* database) : database_(database) {}
    Error database_error(const std::string& what) const;
    Result<void> execute(const char* sql);
    Result<void> bring_schema_up();

    sqlite3* database_;
    std::mutex mutex_;
};

}  // namespace skep::mgmt
