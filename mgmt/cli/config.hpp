// The client's memory: which servers it logged in to, their certificates and its credentials.
//
// One JSON file (proto/skep/client/v1), mode 0600: $XDG_CONFIG_HOME/skep/config.json, or
// ~/.config/skep/config.json.
#pragma once

#include "mgmt/common/error.hpp"

#include "skep/client/v1/config.pb.h"

#include <string>

namespace skep::mgmt::cli {

using skep::client::v1::Config;
using skep::client::v1::Server;

std::string default_config_path();

// No file: an empty configuration.
Result<Config> load_config(const std::string& path);
// Written beside, renamed.
Result<void> save_config(const std::string& path, const Config& config);

// By address; an empty one means the current server. The error says how to log in.
Result<Server> find_server(const Config& config, const std::string& address);
// Replaces the entry with the same address, and makes it the current one.
void put_server(Config& config, const Server& server);

// "host" -> "host:8443".
std::string with_port(const std::string& address);

}  // namespace skep::mgmt::cli
