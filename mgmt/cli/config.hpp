// The client's memory: which servers it logged in to, their certificates and its credentials.
//
// One JSON file, mode 0600: $XDG_CONFIG_HOME/skep/config.json (or ~/.config/skep/config.json, or --config).
#pragma once

#include "mgmt/common/error.hpp"

#include <string>
#include <vector>

namespace skep::mgmt::cli {

struct ServerEntry {
    std::string address;          // HOST:PORT
    std::string certificate_pem;  // what it showed at login
    std::string fingerprint;
    std::string credential;       // credentials/ID
    std::string secret;
};

struct Config {
    std::string current;  // address of the server that commands go to
    std::vector<ServerEntry> servers;

    const ServerEntry* find(const std::string& address) const;
    void put(ServerEntry entry);  // replaces the one with the same address
};

std::string default_config_path();

// No file: an empty configuration.
Result<Config> load_config(const std::string& path);
Result<void> save_config(const std::string& path, const Config& config);

}  // namespace skep::mgmt::cli
