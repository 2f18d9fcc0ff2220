#include "mgmt/init/exec_file.hpp"
#include "mgmt/init/process.hpp"
#include "mgmt/init/restart_policy.hpp"

#include <gtest/gtest.h>

#include <unistd.h>
#include <csignal>

namespace skep::mgmt {
namespace {

using Arguments = std::vector<std::string>;

TEST(ExecFile, SplitsAtNul) {
    using namespace std::string_view_literals;
    EXPECT_EQ(split_arguments("/bin/echo\0a b\0\0c"sv), (Arguments{"/bin/echo", "a b", "", "c"}));
    EXPECT_EQ(split_arguments("/bin/true\0"sv), (Arguments{"/bin/true"}));
    EXPECT_TRUE(split_arguments("").empty());
}

TEST(RestartPolicy, CallsForHelpAfterFiveQuickDeathsInARow) {
    RestartPolicy policy;
    for (int i = 0; i < 4; ++i)
        EXPECT_EQ(policy.ended_after(1), RestartPolicy::Action::Restart);
    EXPECT_EQ(policy.ended_after(1), RestartPolicy::Action::Emergency);
    EXPECT_EQ(policy.ended_after(1), RestartPolicy::Action::Restart);
}

TEST(RestartPolicy, ALongLifeForgivesQuickDeaths) {
    RestartPolicy policy;
    for (int i = 0; i < 4; ++i)
        EXPECT_EQ(policy.ended_after(1), RestartPolicy::Action::Restart);
    EXPECT_EQ(policy.ended_after(RestartPolicy::kLongEnough), RestartPolicy::Action::Restart);
    EXPECT_EQ(policy.delay_seconds(), 0u);
    for (int i = 0; i < 4; ++i)
        EXPECT_EQ(policy.ended_after(1), RestartPolicy::Action::Restart);
}

TEST(Process, ExitCodesAreAShells) {
    EXPECT_EQ(wait_for(start_on_console({"sh", "-c", "exit 7"})), 7);
    EXPECT_EQ(wait_for(start_on_console({"sh", "-c", "kill -9 $$"})), 128 + SIGKILL);
    EXPECT_EQ(wait_for(start_on_console({"/no/such/program"})), 127);
    EXPECT_EQ(wait_for(start_on_console({"/etc/passwd"})), 126);
    EXPECT_EQ(start_on_console({}), -1);
}

TEST(Process, ReapsOthersWhileWaiting) {
    auto other = start_on_console({"sh", "-c", "exit 1"});
    EXPECT_EQ(wait_for(start_on_console({"sh", "-c", "sleep 0.2; exit 3"})), 3);
    EXPECT_EQ(wait_for_any().pid, -1);
    EXPECT_NE(::kill(other, 0), 0);
}

}  // namespace
}  // namespace skep::mgmt
