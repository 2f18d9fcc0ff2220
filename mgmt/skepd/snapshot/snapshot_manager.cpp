#include "mgmt/skepd/snapshot/snapshot_manager.hpp"

#include "mgmt/common/resource_name.hpp"
#include "mgmt/common/text.hpp"
#include "mgmt/common/version.hpp"
#include "mgmt/skepd/catalogue/records.hpp"
#include "mgmt/skepd/clock.hpp"
#include "mgmt/skepd/snapshot/judge.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace skep::mgmt {
namespace {

using namespace skep::api::v1;

constexpr std::chrono::seconds kEndPatience{60};

std::string name_of(const std::string& id) {
    return "snapshots/" + id;
}

std::string creator() {
    char host[256] = "";
    ::gethostname(host, sizeof host - 1);
    return std::string("skepd ") + kVersion + " host " + host;
}

Error cancelled(const std::string& what) {
    return {Code::Cancelled, "CANCELLED", what + " was cancelled"};
}

}  // namespace

SnapshotManager::Reservation::~Reservation() {
    std::lock_guard lock(manager_.mutex_);
    manager_.reserved_.erase(id_);
}

Result<std::shared_ptr<SnapshotManager::Reservation>> SnapshotManager::reserve(
    const std::string& id) {
    std::lock_guard lock(mutex_);
    auto there = catalogue_.get(Table::Snapshots, id);
    if (there || reserved_.contains(id))
        return fail(Error(Code::AlreadyExists, "ALREADY_EXISTS",
                          name_of(id) + (there ? " exists already" : " is being made already"))
                        .on(name_of(id))
                        .with_hint("choose another id, or delete it: skep snapshot delete " + id));
    if (there.error().code != Code::NotFound)
        return fail(there.error());
    reserved_.insert(id);
    return std::make_shared<Reservation>(*this, id);
}

Result<Snapshot> SnapshotManager::get(const std::string& id) {
    return get_record<Snapshot>(catalogue_, Table::Snapshots, id);
}

Result<Snapshot> SnapshotManager::record(const std::string& id, Snapshot snapshot,
                                         PartialFile file) {
    snapshot.set_name(name_of(id));
    snapshot.set_uid(random_hex(8));
    *snapshot.mutable_create_time() = timestamp_now();
    RETURN_IF_ERROR(file.commit());
    auto revision = catalogue_.insert(Table::Snapshots, id, snapshot.SerializeAsString());
    if (!revision) {
        ::unlink(store_.snapshot(id).c_str());
        return fail(revision.error());
    }
    snapshot.set_etag(etag_of(snapshot, *revision));
    return snapshot;
}

Result<Snapshot> SnapshotManager::admit(const std::string& id, PartialFile file) {
    auto snapshot = judge_snapshot(file.fd(), name_of(id));
    RETURN_IF_ERROR(snapshot);
    // Names of disks become names of files.
    for (const auto& disk : snapshot->spec().disks())
        RETURN_IF_ERROR(parse_id(disk.name(), name_of(id) + ": manifest.machine.disks.name"));
    snapshot->set_imported(true);
    return record(id, std::move(*snapshot), std::move(file));
}

Result<void> SnapshotManager::remove(const std::string& id, const std::string& etag) {
    auto snapshot = get(id);
    RETURN_IF_ERROR(snapshot);
    RETURN_IF_ERROR(check_etag(*snapshot, etag));
    RETURN_IF_ERROR(catalogue_.remove(Table::Snapshots, id));
    // Exports and restores under way keep their open file.
    return remove_tree(store_.snapshot(id));
}

Result<Operation> SnapshotManager::save(const std::string& vm_id, const std::string& id, bool stop,
                                        const std::string& request_id) {
    auto earlier = operations_.earlier("SaveSnapshot", request_id);
    RETURN_IF_ERROR(earlier);
    if (*earlier)
        return **earlier;
    RETURN_IF_ERROR(vms_.get(vm_id));
    auto reservation = reserve(id);
    RETURN_IF_ERROR(reservation);
    auto claim = vms_.claim(vm_id);
    RETURN_IF_ERROR(claim);
    auto vm = vms_.get(vm_id);
    RETURN_IF_ERROR(vm);
    if (vm->state() != VM_STATE_RUNNING && vm->state() != VM_STATE_PAUSED)
        return fail(Error(Code::FailedPrecondition, "VM_WRONG_STATE",
                          vm->name() + " is " + state_text(vm->state()) +
                              "; only a running guest can be saved")
                        .on(vm->name())
                        .with_hint("start it: skep vm start " + vm_id));
    return operations_.begin(
        "SaveSnapshot", vm->name(), request_id,
        [this, vm_id, id, stop, held = *claim, reserved = *reservation](
            Operations::Handle& handle) { return save_now(vm_id, id, stop, handle); });
}

Operations::Outcome SnapshotManager::save_now(const std::string& vm_id, const std::string& id,
                                              bool stop, Operations::Handle& handle) {
    auto vm = vms_.get(vm_id);
    RETURN_IF_ERROR(vm);
    auto guest = vms_.guest(vm_id);
    if (!guest)
        return fail(
            Error(Code::Aborted, "GUEST_ENDED", vm->name() + " has ended: " + vm->state_detail()));
    bool was_paused = vm->state() == VM_STATE_PAUSED;
    auto file = PartialFile::create(store_.snapshots(), id, 0600);
    RETURN_IF_ERROR(file);
    auto write_only = open_file(file->path(), O_WRONLY);
    RETURN_IF_ERROR(write_only);
    RETURN_IF_ERROR(vms_.set_state(vm_id, VM_STATE_SAVING, ""));
    handle.allow_cancel(true);
    auto saved =
        guest->save(write_only->get(), creator(), [&](std::uint64_t done, std::uint64_t total) {
            handle.progress("saving", done, total);
            return !handle.cancelled();
        });
    handle.allow_cancel(false);
    if (!saved)
        saved = fail(handle.cancelled() ? cancelled("saving " + vm->name())
                                        : with_memory_hint(saved.error()));
    auto kept = [&]() -> Result<Snapshot> {
        RETURN_IF_ERROR(saved);
        Snapshot snapshot;
        snapshot.set_source_vm(vm->name());
        *snapshot.mutable_spec() = vm->spec();
        snapshot.set_creator(creator());
        auto size = file_size(file->fd(), name_of(id));
        RETURN_IF_ERROR(size);
        snapshot.set_size_bytes(*size);
        snapshot.set_ram_bytes(saved->ram_bytes());
        return record(id, std::move(snapshot), std::move(*file));
    }();
    // The guest is paused now. It ends only if what was to be kept is kept.
    if (kept && stop) {
        guest->end(kEndPatience);
        RETURN_IF_ERROR(
            vms_.set_state(vm_id, VM_STATE_STOPPED, "saved as " + name_of(id) + " and stopped"));
    } else if (was_paused) {
        RETURN_IF_ERROR(vms_.set_state(vm_id, VM_STATE_PAUSED, ""));
    } else {
        auto resumed = guest->run();
        RETURN_IF_ERROR(
            vms_.set_state(vm_id, resumed ? VM_STATE_RUNNING : VM_STATE_PAUSED,
                           resumed ? "" : "not running after a save: " + resumed.error().message));
        if (kept)
            RETURN_IF_ERROR(resumed);
    }
    RETURN_IF_ERROR(kept);
    return std::make_unique<Snapshot>(*kept);
}

Result<Operation> SnapshotManager::restore(const std::string& id, const std::string& vm_id,
                                           bool paused, const std::string& request_id) {
    auto earlier = operations_.earlier("RestoreSnapshot", request_id);
    RETURN_IF_ERROR(earlier);
    if (*earlier)
        return **earlier;
    auto snapshot = get(id);
    RETURN_IF_ERROR(snapshot);
    RETURN_IF_ERROR(check_can_run_guests(vms_.paths()));
    auto claim = vms_.claim(vm_id);
    RETURN_IF_ERROR(claim);
    Vm vm;
    vm.set_name("vms/" + vm_id);
    *vm.mutable_spec() = snapshot->spec();
    vm.set_state(VM_STATE_RESTORING);
    vm.set_source_snapshot(snapshot->name());
    RETURN_IF_ERROR(vms_.insert(vm));
    auto operation =
        operations_.begin("RestoreSnapshot", vm.name(), request_id,
                          [this, snapshot = *snapshot, vm_id, paused,
                           held = *claim](Operations::Handle& handle) -> Operations::Outcome {
                              auto outcome = restore_now(snapshot, vm_id, paused, handle);
                              if (!outcome) {
                                  vms_.end_guest(vm_id);
                                  [[maybe_unused]] auto discarded = vms_.discard(vm_id);
                              }
                              return outcome;
                          });
    if (!operation) {
        [[maybe_unused]] auto discarded = vms_.discard(vm_id);
    }
    return operation;
}

Operations::Outcome SnapshotManager::restore_now(const Snapshot& snapshot, const std::string& vm_id,
                                                 bool paused, Operations::Handle& handle) {
    auto snapshot_id = parse_name(snapshot.name(), "snapshots", "name");
    RETURN_IF_ERROR(snapshot_id);
    auto file = open_file(store_.snapshot(*snapshot_id), O_RDONLY);
    RETURN_IF_ERROR(file);
    RETURN_IF_ERROR(store_.make_disks(vm_id, snapshot.spec(), false, {}));
    // skep-vmm fills them, also those that the guest may only read.
    std::vector<UniqueFd> disks;
    std::vector<int> numbers = {file->get()};
    for (const auto& disk : snapshot.spec().disks()) {
        auto fd = open_file(store_.disk(vm_id, disk.name()), O_RDWR);
        RETURN_IF_ERROR(fd);
        numbers.push_back(fd->get());
        disks.push_back(std::move(*fd));
    }
    auto guest = vms_.launch(vm_id);
    RETURN_IF_ERROR(guest);
    handle.allow_cancel(true);
    auto restored = (*guest)->restore(numbers, [&](std::uint64_t done, std::uint64_t total) {
        handle.progress("restoring", done, total);
        return !handle.cancelled();
    });
    handle.allow_cancel(false);
    if (!restored && handle.cancelled())
        return fail(cancelled("restoring " + snapshot.name()));
    if (!restored)
        return fail(with_memory_hint(restored.error()));
    if (!paused)
        RETURN_IF_ERROR((*guest)->run());
    auto vm = vms_.set_state(vm_id, paused ? VM_STATE_PAUSED : VM_STATE_RUNNING, "");
    RETURN_IF_ERROR(vm);
    return std::make_unique<Vm>(*vm);
}

}  // namespace skep::mgmt
