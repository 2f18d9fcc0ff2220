#include "mgmt/skepd/catalogue/catalogue.hpp"

#include "mgmt/skepd/catalogue/statement.hpp"

#include <array>

namespace skep::mgmt {
namespace {

constexpr std::int64_t kSchemaVersion = 1;

constexpr const char* kSchema = R"sql(
CREATE TABLE vms         (sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL,
                          revision INTEGER NOT NULL, record BLOB NOT NULL);
CREATE TABLE images      (sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL,
                          revision INTEGER NOT NULL, record BLOB NOT NULL);
CREATE TABLE snapshots   (sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL,
                          revision INTEGER NOT NULL, record BLOB NOT NULL);
CREATE TABLE operations  (sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL,
                          revision INTEGER NOT NULL, record BLOB NOT NULL);
CREATE TABLE credentials (sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL,
                          revision INTEGER NOT NULL, record BLOB NOT NULL);
CREATE TABLE settings    (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE requests    (method TEXT NOT NULL, request_id TEXT NOT NULL, operation TEXT NOT NULL,
                          PRIMARY KEY (method, request_id)) WITHOUT ROWID;
PRAGMA user_version = 1;
)sql";

// The command line's word for what is in a table: "vm" for vms.
std::string noun(Table table) {
    std::string name = table_name(table);
    name.pop_back();
    return name;
}

Error not_found(Table table, const std::string& id) {
    auto name = std::string(table_name(table)) + "/" + id;
    return Error(Code::NotFound, "NOT_FOUND", "there is no " + name)
        .on(name)
        .with_hint("'skep " + noun(table) + " list' shows what there is");
}

}  // namespace

const char* table_name(Table table) {
    static constexpr std::array kNames = {"vms", "images", "snapshots", "operations",
                                          "credentials"};
    return kNames[static_cast<std::size_t>(table)];
}

Catalogue::~Catalogue() {
    sqlite3_close(database_);
}

Error Catalogue::database_error(const std::string& what) const {
    auto code = sqlite3_errcode(database_);
    return {code == SQLITE_FULL ? Code::ResourceExhausted : Code::Internal, "CATALOGUE_FAILED",
            "catalogue: " + what + ": " + sqlite3_errmsg(database_)};
}

Result<void> Catalogue::execute(const char* sql) {
    if (sqlite3_exec(database_, sql, nullptr, nullptr, nullptr) != SQLITE_OK)
        return fail(database_error("cannot execute a statement"));
    return {};
}

Result<std::unique_ptr<Catalogue>> Catalogue::open(const std::string& path) {
    sqlite3* database = nullptr;
    auto status =
        sqlite3_open_v2(path.c_str(), &database,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
    std::unique_ptr<Catalogue> catalogue(new Catalogue(database));
    if (status != SQLITE_OK)
        return fail(catalogue->database_error("cannot open " + path));
    // The locking mode must be set before the journal mode: see the header.
    RETURN_IF_ERROR(catalogue->execute("PRAGMA locking_mode = EXCLUSIVE"));
    RETURN_IF_ERROR(catalogue->execute("PRAGMA journal_mode = WAL"));
    RETURN_IF_ERROR(catalogue->execute("PRAGMA synchronous = FULL"));
    RETURN_IF_ERROR(catalogue->bring_schema_up());
    return catalogue;
}

Result<void> Catalogue::bring_schema_up() {
    Statement version(database_, "PRAGMA user_version");
    if (version.step() != SQLITE_ROW)
        return fail(database_error("cannot read the schema version"));
    auto found = version.number(0);
    if (found > kSchemaVersion)
        return fail(
            Error(Code::FailedPrecondition, "CATALOGUE_TOO_NEW",
                  "the catalogue has schema " + std::to_string(found) +
                      ", this skepd knows up to " + std::to_string(kSchemaVersion))
                .with_hint("start the version of Skep that last used this disk, or a newer one"));
    if (found == 0)
        return execute((std::string("BEGIN;") + kSchema + "COMMIT;").c_str());
    return {};
}

Result<std::int64_t> Catalogue::insert(Table table, const std::string& id,
                                       const std::string& record) {
    std::lock_guard lock(mutex_);
    Statement statement(database_, std::string("INSERT INTO ") + table_name(table) +
                                       " (id, revision, record) VALUES (?, 1, ?)");
    auto status = statement.bind(id).bind_blob(record).step();
    if (status == SQLITE_CONSTRAINT) {
        auto name = std::string(table_name(table)) + "/" + id;
        return fail(Error(Code::AlreadyExists, "ALREADY_EXISTS", name + " exists already")
                        .on(name)
                        .with_hint("choose another id, or delete it: skep " + noun(table) +
                                   " delete " + id));
    }
    if (status != SQLITE_DONE)
        return fail(database_error("cannot add " + id));
    return 1;
}

Result<std::int64_t> Catalogue::update(Table table, const std::string& id,
                                       const std::string& record) {
    std::lock_guard lock(mutex_);
    Statement statement(
        database_, std::string("UPDATE ") + table_name(table) +
                       " SET revision = revision + 1, record = ? WHERE id = ? RETURNING revision");
    auto status = statement.bind_blob(record).bind(id).step();
    if (status == SQLITE_DONE)
        return fail(not_found(table, id));
    if (status != SQLITE_ROW)
        return fail(database_error("cannot change " + id));
    auto revision = statement.number(0);
    if (statement.step() != SQLITE_DONE)
        return fail(database_error("cannot change " + id));
    return revision;
}

Result<void> Catalogue::remove(Table table, const std::string& id) {
    std::lock_guard lock(mutex_);
    Statement statement(database_,
                        std::string("DELETE FROM ") + table_name(table) + " WHERE id = ?");
    if (statement.bind(id).step() != SQLITE_DONE)
        return fail(database_error("cannot remove " + id));
    if (sqlite3_changes(database_) == 0)
        return fail(not_found(table, id));
    return {};
}

Result<Row> Catalogue::get(Table table, const std::string& id) {
    std::lock_guard lock(mutex_);
    Statement statement(database_, std::string("SELECT revision, sequence, record FROM ") +
                                       table_name(table) + " WHERE id = ?");
    auto status = statement.bind(id).step();
    if (status == SQLITE_DONE)
        return fail(not_found(table, id));
    if (status != SQLITE_ROW)
        return fail(database_error("cannot read " + id));
    return Row{id, statement.number(0), statement.number(1), statement.text(2)};
}

namespace {

Result<std::vector<Row>> collect(Statement& statement, const Error& on_error) {
    std::vector<Row> rows;
    int status;
    while ((status = statement.step()) == SQLITE_ROW)
        rows.push_back(
            {statement.text(0), statement.number(1), statement.number(2), statement.text(3)});
    if (status != SQLITE_DONE)
        return fail(on_error);
    return rows;
}

}  // namespace

Result<std::vector<Row>> Catalogue::list(Table table, const std::string& after_id, int limit) {
    std::lock_guard lock(mutex_);
    Statement statement(database_, std::string("SELECT id, revision, sequence, record FROM ") +
                                       table_name(table) + " WHERE id > ? ORDER BY id LIMIT ?");
    statement.bind(after_id).bind(limit);
    return collect(statement, database_error("cannot list"));
}

Result<std::vector<Row>> Catalogue::list_newest(Table table, std::int64_t before_sequence,
                                                int limit) {
    std::lock_guard lock(mutex_);
    Statement statement(
        database_, std::string("SELECT id, revision, sequence, record FROM ") + table_name(table) +
                       " WHERE ?1 = 0 OR sequence < ?1 ORDER BY sequence DESC LIMIT ?2");
    statement.bind(before_sequence).bind(limit);
    return collect(statement, database_error("cannot list"));
}

Result<std::optional<std::string>> Catalogue::setting(const std::string& key) {
    std::lock_guard lock(mutex_);
    Statement statement(database_, "SELECT value FROM settings WHERE key = ?");
    auto status = statement.bind(key).step();
    if (status == SQLITE_DONE)
        return std::nullopt;
    if (status != SQLITE_ROW)
        return fail(database_error("cannot read the setting " + key));
    return statement.text(0);
}

Result<void> Catalogue::set_setting(const std::string& key, const std::string& value) {
    std::lock_guard lock(mutex_);
    Statement statement(database_, "INSERT OR REPLACE INTO settings (key, value) VALUES (?, ?)");
    if (statement.bind(key).bind(value).step() != SQLITE_DONE)
        return fail(database_error("cannot write the setting " + key));
    return {};
}

Result<std::optional<std::string>> Catalogue::operation_of_request(const std::string& method,
                                                                   const std::string& request_id) {
    std::lock_guard lock(mutex_);
    Statement statement(database_,
                        "SELECT operation FROM requests WHERE method = ? AND request_id = ?");
    auto status = statement.bind(method).bind(request_id).step();
    if (status == SQLITE_DONE)
        return std::nullopt;
    if (status != SQLITE_ROW)
        return fail(database_error("cannot read the requests"));
    return statement.text(0);
}

Result<void> Catalogue::remember_request(const std::string& method, const std::string& request_id,
                                         const std::string& operation_id) {
    std::lock_guard lock(mutex_);
    Statement statement(
        database_,
        "INSERT OR REPLACE INTO requests (method, request_id, operation) VALUES (?, ?, ?)");
    if (statement.bind(method).bind(request_id).bind(operation_id).step() != SQLITE_DONE)
        return fail(database_error("cannot remember a request"));
    return {};
}

Result<void> Catalogue::prune_operations(int keep) {
    std::lock_guard lock(mutex_);
    Statement old(database_,
                  "DELETE FROM operations WHERE sequence <= (SELECT sequence FROM operations ORDER "
                  "BY sequence "
                  "DESC LIMIT 1 OFFSET ?)");
    if (old.bind(keep).step() != SQLITE_DONE)
        return fail(database_error("cannot forget old operations"));
    return execute("DELETE FROM requests WHERE operation NOT IN (SELECT id FROM operations)");
}

}  // namespace skep::mgmt
