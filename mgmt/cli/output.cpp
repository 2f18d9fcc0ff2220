#include "mgmt/cli/output.hpp"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <ctime>

namespace skep::mgmt::cli {

std::string json_text(const google::protobuf::Message& message) {
    std::string text;
    google::protobuf::util::JsonPrintOptions options;
    options.add_whitespace = true;
    options.always_print_primitive_fields = true;
    auto status = google::protobuf::util::MessageToJsonString(message, &text, options);
    // An Any of a type that this release does not know cannot be printed.
    return status.ok() ? text
                       : "{\"error\": \"" + std::string(message.GetTypeName()) +
                             " cannot be shown as JSON\"}\n";
}

std::string printable(std::string text) {
    for (auto& c : text)
        if (static_cast<unsigned char>(c) < ' ' || c == 0x7f)
            c = '?';
    return text;
}

std::string table_text(const std::vector<TableRow>& rows) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i)
            widths[i] = std::max(widths[i], row[i].size());
    }
    std::string text;
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            line += printable(row[i]);
            if (i + 1 < row.size())
                line.append(widths[i] - row[i].size() + 2, ' ');
        }
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    }
    return text;
}

std::string details_text(const std::vector<std::pair<std::string, std::string>>& rows) {
    std::size_t width = 0;
    for (const auto& [key, value] : rows)
        if (!value.empty())
            width = std::max(width, key.size());
    std::string text;
    for (const auto& [key, value] : rows)
        if (!value.empty())
            text += key + ":" + std::string(width - key.size() + 2, ' ') + printable(value) + "\n";
    return text;
}

std::string time_text(const google::protobuf::Timestamp& time) {
    if (time.seconds() == 0)
        return "";
    auto seconds = static_cast<std::time_t>(time.seconds());
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[64];
    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
    return text;
}

std::string duration_text(const google::protobuf::Duration& duration) {
    auto seconds = duration.seconds();
    if (seconds < 60)
        return std::to_string(seconds) + " s";
    if (seconds < 3600)
        return std::to_string(seconds / 60) + " min " + std::to_string(seconds % 60) + " s";
    if (seconds < 86400)
        return std::to_string(seconds / 3600) + " h " + std::to_string(seconds / 60 % 60) + " min";
    return std::to_string(seconds / 86400) + " d " + std::to_string(seconds / 3600 % 24) + " h";
}

std::string id_text(const std::string& name) {
    return name.substr(name.find('/') + 1);
}

}  // namespace skep::mgmt::cli
