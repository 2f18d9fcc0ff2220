// One function per command: adds it to its parent. Each is in NOUN/VERB.cpp.
#pragma once

#include "mgmt/cli/context.hpp"

namespace skep::mgmt::cli {

void add_login(CLI::App& parent, Context& context);

void add_host_get(CLI::App& host, Context& context);

void add_image_upload(CLI::App& image, Context& context);
void add_image_list(CLI::App& image, Context& context);
void add_image_get(CLI::App& image, Context& context);
void add_image_delete(CLI::App& image, Context& context);

void add_vm_create(CLI::App& vm, Context& context);
void add_vm_list(CLI::App& vm, Context& context);
void add_vm_get(CLI::App& vm, Context& context);
void add_vm_start(CLI::App& vm, Context& context);
void add_vm_stop(CLI::App& vm, Context& context);
void add_vm_delete(CLI::App& vm, Context& context);
void add_vm_console(CLI::App& vm, Context& context);

void add_snapshot_save(CLI::App& snapshot, Context& context);
void add_snapshot_restore(CLI::App& snapshot, Context& context);
void add_snapshot_list(CLI::App& snapshot, Context& context);
void add_snapshot_get(CLI::App& snapshot, Context& context);
void add_snapshot_delete(CLI::App& snapshot, Context& context);
void add_snapshot_export(CLI::App& snapshot, Context& context);
void add_snapshot_import(CLI::App& snapshot, Context& context);

void add_operation_list(CLI::App& operation, Context& context);
void add_operation_get(CLI::App& operation, Context& context);
void add_await(CLI::App& operation, Context& context);
void add_operation_cancel(CLI::App& operation, Context& context);

}  // namespace skep::mgmt::cli
