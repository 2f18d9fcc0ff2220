#include "mgmt/cli/config.hpp"

#include "mgmt/common/files.hpp"

#include <google/protobuf/util/json_util.h>

#include <cstdlib>

namespace skep::mgmt::cli {

std::string default_config_path() {
    const char* base = std::getenv("XDG_CONFIG_HOME");
    if (base && *base)
        return std::string(base) + "/skep/config.json";
    const char* home = std::getenv("HOME");
    return std::string(home && *home ? home : "/root") + "/.config/skep/config.json";
}

Result<Config> load_config(const std::string& path) {
    Config config;
    if (!file_exists(path))
        return config;
    auto content = read_file(path);
    RETURN_IF_ERROR(content);
    google::protobuf::util::JsonParseOptions options;
    options.ignore_unknown_fields = true;  // of a newer skep
    auto status = google::protobuf::util::JsonStringToMessage(*content, &config, options);
    if (!status.ok())
        return fail(Error(Code::DataLoss, "CONFIG_DAMAGED",
                          path + " cannot be understood: " + status.ToString())
                        .with_hint("repair it, or remove it and log in again"));
    return config;
}

Result<void> save_config(const std::string& path, const Config& config) {
    std::string text;
    google::protobuf::util::JsonPrintOptions options;
    options.add_whitespace = true;
    auto status = google::protobuf::util::MessageToJsonString(config, &text, options);
    if (!status.ok())
        return fail(Error(Code::Internal, "CONFIG_UNPRINTABLE", status.ToString()));
    if (auto slash = path.rfind('/'); slash != std::string::npos && slash > 0)
        RETURN_IF_ERROR(make_directory(path.substr(0, slash), 0700));
    return write_file(path, text, 0600);
}

Result<Server> find_server(const Config& config, const std::string& address) {
    auto wanted = address.empty() ? config.current_server() : with_port(address);
    for (const auto& server : config.servers())
        if (server.address() == wanted)
            return server;
    return fail(
        Error(Code::Unauthenticated, "NOT_LOGGED_IN",
              wanted.empty() ? "not logged in to any appliance" : "not logged in to " + wanted)
            .with_hint(
                "skep login HOST:PORT --fingerprint FINGERPRINT --token TOKEN; both are on the "
                "appliance's console"));
}

void put_server(Config& config, const Server& server) {
    config.set_current_server(server.address());
    for (auto& known : *config.mutable_servers()) {
        if (known.address() == server.address()) {
            known = server;
            return;
        }
    }
    *config.add_servers() = server;
}

std::string with_port(const std::string& address) {
    // "[::1]" and "[::1]:8443" have colons inside the brackets.
    auto after_brackets = address.rfind(']');
    auto colon = address.find(':', after_brackets == std::string::npos ? 0 : after_brackets);
    return colon == std::string::npos ? address + ":8443" : address;
}

}  // namespace skep::mgmt::cli
