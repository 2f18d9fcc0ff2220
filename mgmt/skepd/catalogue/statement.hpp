// One prepared SQL statement: bind, step, read, finalize.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace skep::mgmt {

class Statement {
  public:
    Statement(sqlite3* database, const std::string& sql) {
        status_ = sqlite3_prepare_v2(database, sql.c_str(), static_cast<int>(sql.size()),
                                     &statement_, nullptr);
    }
    ~Statement() { sqlite3_finalize(statement_); }
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;

    Statement& bind(std::string_view text) {
        if (status_ == SQLITE_OK)
            status_ = sqlite3_bind_text(statement_, ++bound_, text.data(),
                                        static_cast<int>(text.size()), SQLITE_TRANSIENT);
        return *this;
    }
    Statement& bind(std::int64_t number) {
        if (status_ == SQLITE_OK)
            status_ = sqlite3_bind_int64(statement_, ++bound_, number);
        return *this;
    }
    Statement& bind_blob(std::string_view bytes) {
        if (status_ == SQLITE_OK)
            status_ = sqlite3_bind_blob(statement_, ++bound_, bytes.data(),
                                        static_cast<int>(bytes.size()), SQLITE_TRANSIENT);
        return *this;
    }
    // SQLITE_ROW, SQLITE_DONE or the error of this or an earlier step.
    int step() {
        if (status_ == SQLITE_OK || status_ == SQLITE_ROW)
            status_ = sqlite3_step(statement_);
        return status_;
    }
    std::int64_t number(int column) const { return sqlite3_column_int64(statement_, column); }
    std::string text(int column) const {
        // The size must be asked for after the data (SQLite's rule for column access).
        const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
        auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
        return data ? std::string(data, size) : std::string();
    }

  private:
    sqlite3_stmt* statement_ = nullptr;
    int status_ = SQLITE_OK;
    int bound_ = 0;
};

}  // namespace skep::mgmt
