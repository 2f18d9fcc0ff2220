// One command of the command line: its arguments and its body. A thin face over CLI11, so that a
// command's file compiles without it.
#pragma once

#include "mgmt/cli/context.hpp"
#include "mgmt/common/error.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace skep::mgmt::cli {

// Where commands are added: the program, or a noun of it.
using Parent = CLI::App;

class Command {
  public:
    Command(Parent& parent, const char* name, const char* description);

    // The variables must live as long as the body; run() sees to that.
    Command& positional(const char* name, std::string& value, const char* help = "");  // required
    Command& option(const char* flags, std::string& value, const char* help);
    Command& required_option(const char* flags, std::string& value, const char* help);
    Command& option(const char* flags, std::uint32_t& value, const char* help);
    Command& options(const char* flags, std::vector<std::string>& values,
                     const char* help);  // may be repeated
    Command& flag(const char* flags, bool& value, const char* help);

    // What happens when the command line names this command. `arguments` holds the variables.
    template <typename Arguments>
    void run(Context& context, std::shared_ptr<Arguments> arguments,
             Result<void> (*body)(Context&, const Arguments&)) {
        on_chosen(context, [&context, arguments, body] { return body(context, *arguments); });
    }
    void run(Context& context, Result<void> (*body)(Context&)) {
        on_chosen(context, [&context, body] { return body(context); });
    }

  private:
    void on_chosen(Context& context, std::function<Result<void>()> body);
    CLI::App* command_;
};

}  // namespace skep::mgmt::cli
