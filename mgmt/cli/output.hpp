// What commands print: tables for people, JSON for programs (protobuf's JSON form of the API's
// messages).
#pragma once

#include "mgmt/common/error.hpp"

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/message.h>
#include <google/protobuf/timestamp.pb.h>

#include <string>
#include <vector>

namespace skep::mgmt::cli {

std::string json_text(const google::protobuf::Message& message);

using TableRow = std::vector<std::string>;
// Columns as wide as their content, two blanks between them, the first row the heading.
std::string table_text(const std::vector<TableRow>& rows);
// "key: value" lines, values aligned. Rows with an empty value are left out.
std::string details_text(const std::vector<std::pair<std::string, std::string>>& rows);

std::string time_text(const google::protobuf::Timestamp& time);         // "2026-11-22 14:35:19 UTC"
std::string duration_text(const google::protobuf::Duration& duration);  // "3 h 20 min"

// "vms/a" -> "a"
std::string id_text(const std::string& name);

// A server's text on a terminal: control characters must not reach it.
std::string printable(std::string text);

}  // namespace skep::mgmt::cli
