// One function per command: adds it to its parent. Each is in NOUN/VERB.cpp (vm start and stop:
// vm/power.cpp).
#pragma once

#include "mgmt/cli/command.hpp"
#include "mgmt/cli/context.hpp"

namespace skep::mgmt::cli {

void add_login(Parent& parent, Context& context);

void add_host_get(Parent& host, Context& context);

void add_image_upload(Parent& image, Context& context);
void add_image_list(Parent& image, Context& context);
void add_image_get(Parent& image, Context& context);
void add_image_delete(Parent& image, Context& context);

void add_vm_create(Parent& vm, Context& context);
void add_vm_list(Parent& vm, Context& context);
void add_vm_get(Parent& vm, Context& context);
void add_vm_start(Parent& vm, Context& context);
void add_vm_stop(Parent& vm, Context& context);
void add_vm_delete(Parent& vm, Context& context);
void add_vm_console(Parent& vm, Context& context);

void add_snapshot_save(Parent& snapshot, Context& context);
void add_snapshot_restore(Parent& snapshot, Context& context);
void add_snapshot_list(Parent& snapshot, Context& context);
void add_snapshot_get(Parent& snapshot, Context& context);
void add_snapshot_delete(Parent& snapshot, Context& context);
void add_snapshot_export(Parent& snapshot, Context& context);
void add_snapshot_import(Parent& snapshot, Context& context);

void add_operation_list(Parent& operation, Context& context);
void add_operation_get(Parent& operation, Context& context);
void add_await(Parent& operation, Context& context);
void add_operation_cancel(Parent& operation, Context& context);

}  // namespace skep::mgmt::cli
