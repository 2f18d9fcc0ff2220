// Compiled once for all commands: what nearly each of them includes and what costs the most.
// No guard: it is the main file when it is compiled.
#include <CLI/CLI.hpp>
#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>
