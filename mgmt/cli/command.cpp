#include "mgmt/cli/command.hpp"

#include <CLI/CLI.hpp>

namespace skep::mgmt::cli {

Command::Command(Parent& parent, const char* name, const char* description)
    : command_(parent.add_subcommand(name, description)) {}

Command& Command::positional(const char* name, std::string& value, const char* help) {
    command_->add_option(name, value, help)->required();
    return *this;
}

Command& Command::option(const char* flags, std::string& value, const char* help) {
    command_->add_option(flags, value, help);
    return *this;
}

Command& Command::required_option(const char* flags, std::string& value, const char* help) {
    command_->add_option(flags, value, help)->required();
    return *this;
}

Command& Command::option(const char* flags, std::uint32_t& value, const char* help) {
    command_->add_option(flags, value, help);
    return *this;
}

Command& Command::options(const char* flags, std::vector<std::string>& values, const char* help) {
    command_->add_option(flags, values, help)->allow_extra_args(false);
    return *this;
}

Command& Command::flag(const char* flags, bool& value, const char* help) {
    command_->add_flag(flags, value, help);
    return *this;
}

void Command::on_chosen(Context& context, std::function<Result<void>()> body) {
    command_->callback([&context, body = std::move(body)] { context.chosen = body; });
}

}  // namespace skep::mgmt::cli
