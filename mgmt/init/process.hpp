// What the first process does with others: start them on the console, wait, power off.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace skep::mgmt {

// Descriptors 0, 1 and 2 become the console, if they are not open already.
void open_console();

// "init: TEXT" on the console.
void say(const std::string& text);

// Forks and executes; the child is a session leader of its own with the console as its terminal.
// -1: no process could be made (said on the console). A program that cannot be executed ends with
// 127 (not found) or 126, as from a shell.
pid_t start_on_console(const std::vector<std::string>& arguments);

// Waits for any child: its pid and wait status. Reaps orphans on the way, which is what they are
// given to process 1 for. pid -1: there is no child.
struct Ended {
    pid_t pid;
    int status;
};
Ended wait_for_any();

// Waits for that child (and reaps others): 0..255, or 128 + the signal's number, as a shell says
// it.
int wait_for(pid_t pid);
int exit_code(int status);

[[noreturn]] void power_off();
[[noreturn]] void restart_machine();

}  // namespace skep::mgmt
