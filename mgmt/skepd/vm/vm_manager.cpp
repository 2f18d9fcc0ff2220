#include "mgmt/skepd/vm/vm_manager.hpp"

#include "mgmt/common/text.hpp"
#include "mgmt/skepd/catalogue/records.hpp"
#include "mgmt/skepd/clock.hpp"
#include "mgmt/skepd/host/host_info.hpp"
#include "mgmt/skepd/vm/spec_check.hpp"

#include "skep/api/v1/image_service.pb.h"

#include <fcntl.h>

#include <algorithm>
#include <cstdio>

namespace skep::mgmt {
namespace {

using namespace skep::api::v1;

// An emulated machine needs its time; after it the process is killed.
constexpr std::chrono::seconds kEndPatience{60};

std::string name_of(const std::string& id) {
    return "vms/" + id;
}

Error wrong_state(const Vm& vm, const std::string& wanted, const std::string& hint) {
    return Error(Code::FailedPrecondition, "VM_WRONG_STATE",
                 vm.name() + " is " + state_text(vm.state()) + ", not " + wanted)
        .on(vm.name())
        .with_hint(hint);
}

bool has_guest(VmState state) {
    return state != VM_STATE_STOPPED && state != VM_STATE_CRASHED && state != VM_STATE_CREATING;
}

}  // namespace

Error with_memory_hint(Error error) {
    if (error.code == Code::ResourceExhausted && error.hint.empty())
        error.hint =
            "'skep host get' shows the memory that is free; stop another guest, or delete "
            "snapshots, images or VMs";
    return error;
}

std::string state_text(VmState state) {
    auto text = VmState_Name(state).substr(sizeof "VM_STATE_" - 1);
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
    return text;
}

VmManager::~VmManager() {
    stop_all();
}

VmManager::Claim::~Claim() {
    auto ended = manager_.take_ended();
    std::lock_guard lock(manager_.mutex_);
    manager_.claimed_.erase(id_);
}

Result<std::shared_ptr<VmManager::Claim>> VmManager::claim(const std::string& id) {
    auto ended = take_ended();
    std::lock_guard lock(mutex_);
    if (!claimed_.insert(id).second)
        return fail(
            Error(Code::FailedPrecondition, "VM_BUSY", "another operation works on " + name_of(id))
                .on(name_of(id))
                .with_hint("'skep operation list' shows it; try again when it is done"));
    return std::make_shared<Claim>(*this, id);
}

std::vector<std::shared_ptr<Guest>> VmManager::take_ended() {
    std::lock_guard lock(mutex_);
    return std::move(ended_);
}

Result<Vm> VmManager::get(const std::string& id) {
    return get_record<Vm>(catalogue_, Table::Vms, id);
}

Result<Vm> VmManager::insert(const Vm& vm) {
    auto record = vm;
    record.set_uid(random_hex(8));
    *record.mutable_create_time() = timestamp_now();
    *record.mutable_update_time() = record.create_time();
    auto id = record.name().substr(record.name().find('/') + 1);
    std::lock_guard lock(mutex_);
    RETURN_IF_ERROR(catalogue_.insert(Table::Vms, id, record.SerializeAsString()));
    return record;
}

// With mutex_ held.
Result<Vm> VmManager::store_state(const std::string& id, VmState state, const std::string& detail) {
    auto vm = get(id);
    RETURN_IF_ERROR(vm);
    vm->set_state(state);
    vm->set_state_detail(detail);
    *vm->mutable_update_time() = timestamp_now();
    vm->clear_etag();
    auto revision = catalogue_.update(Table::Vms, id, vm->SerializeAsString());
    RETURN_IF_ERROR(revision);
    vm->set_etag(etag_of(*vm, *revision));
    return vm;
}

Result<Vm> VmManager::set_state(const std::string& id, VmState state, const std::string& detail) {
    std::lock_guard lock(mutex_);
    // A guest that has ended in the meantime has said so in the record; that is not overwritten.
    auto live = live_.find(id);
    if (has_guest(state) && state != VM_STATE_STARTING && state != VM_STATE_RESTORING &&
        (live == live_.end() || !live->second.guest))
        return get(id);
    return store_state(id, state, detail);
}

Result<void> VmManager::discard(const std::string& id) {
    {
        std::lock_guard lock(mutex_);
        live_.erase(id);
        RETURN_IF_ERROR(catalogue_.remove(Table::Vms, id));
    }
    return store_.remove_disks(id);
}

Result<void> VmManager::recover() {
    std::string after;
    for (;;) {
        auto rows = catalogue_.list(Table::Vms, after, 100);
        RETURN_IF_ERROR(rows);
        if (rows->empty())
            return {};
        for (const auto& row : *rows) {
            auto vm = decode<Vm>(Table::Vms, row);
            RETURN_IF_ERROR(vm);
            if (vm->state() == VM_STATE_CREATING || vm->state() == VM_STATE_RESTORING) {
                RETURN_IF_ERROR(discard(row.id));
            } else if (has_guest(vm->state())) {
                VmmDevice::destroy_leftover(paths_, row.id);
                std::lock_guard lock(mutex_);
                RETURN_IF_ERROR(
                    store_state(row.id, VM_STATE_STOPPED, "the guest ended when skepd did"));
            }
        }
        after = rows->back().id;
    }
}

void VmManager::stop_all() {
    std::vector<std::shared_ptr<Guest>> guests;
    {
        std::lock_guard lock(mutex_);
        for (auto& [id, live] : live_)
            if (live.guest)
                guests.push_back(live.guest);
    }
    for (auto& guest : guests)
        guest->end(kEndPatience);
    guests.clear();
    auto ended = take_ended();
}

std::size_t VmManager::running() const {
    std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(
        std::count_if(live_.begin(), live_.end(),
                      [](const auto& entry) { return entry.second.guest != nullptr; }));
}

Result<Operation> VmManager::create(const std::string& id, const Vm& vm,
                                    const std::string& request_id) {
    auto earlier = operations_.earlier("CreateVm", request_id);
    RETURN_IF_ERROR(earlier);
    if (*earlier)
        return **earlier;
    auto spec = checked_spec(vm.spec(), [this](const std::string& image) -> Result<std::uint64_t> {
        auto record = get_record<Image>(catalogue_, Table::Images, image);
        RETURN_IF_ERROR(record);
        return record->size_bytes();
    });
    RETURN_IF_ERROR(spec);
    auto host = host_info(paths_.control);
    RETURN_IF_ERROR(
        check_fits(*spec, {.vcpus = host.hypervisor().max_vcpus(),
                           .memory_bytes = host.has_hypervisor() ? host.memory_bytes() : 0}));
    auto held = claim(id);
    RETURN_IF_ERROR(held);
    Vm record;
    record.set_name(name_of(id));
    *record.mutable_spec() = *spec;
    record.set_state(VM_STATE_CREATING);
    RETURN_IF_ERROR(insert(record));
    auto body = [this, id, spec = *spec,
                 held = *held](Operations::Handle& handle) -> Operations::Outcome {
        handle.allow_cancel(true);
        auto made = store_.make_disks(id, spec, true, [&](std::uint64_t done, std::uint64_t total) {
            handle.progress("copying disks", done, total);
            return !handle.cancelled();
        });
        handle.allow_cancel(false);
        auto vm = made ? set_state(id, VM_STATE_STOPPED, "never started")
                       : Result<Vm>(fail(made.error()));
        if (!vm) {
            [[maybe_unused]] auto discarded = discard(id);
            return fail(vm.error());
        }
        return std::make_unique<Vm>(*vm);
    };
    auto operation = operations_.begin("CreateVm", name_of(id), request_id, std::move(body));
    if (!operation) {
        [[maybe_unused]] auto discarded = discard(id);
    }
    return operation;
}

Result<std::shared_ptr<Guest>> VmManager::launch(const std::string& id) {
    std::uint64_t run;
    {
        std::lock_guard lock(mutex_);
        run = ++runs_;
        live_[id] = Live{nullptr, nullptr, run};
    }
    auto guest = Guest::start(paths_, id,
                              [this, id, run](const GuestEnd& end) { guest_ended(id, run, end); });
    std::lock_guard lock(mutex_);
    auto& live = live_[id];
    RETURN_IF_ERROR(guest);
    live.console = (*guest)->console();
    // It may have ended already; guest_ended() then came first and left run at 0.
    if (live.run == run)
        live.guest = *guest;
    return guest;
}

void VmManager::guest_ended(const std::string& id, std::uint64_t run, const GuestEnd& end) {
    std::lock_guard lock(mutex_);
    auto found = live_.find(id);
    if (found == live_.end() || found->second.run != run)
        return;
    found->second.run = 0;
    if (found->second.guest)
        ended_.push_back(std::move(found->second.guest));
    found->second.guest = nullptr;
    std::printf("skepd: %s: guest ended: %s\n", name_of(id).c_str(), end.detail.c_str());
    auto stored = store_state(id, end.crashed ? VM_STATE_CRASHED : VM_STATE_STOPPED, end.detail);
    if (!stored && stored.error().code != Code::NotFound)
        std::printf("skepd: %s\n", stored.error().message.c_str());
}

std::shared_ptr<Guest> VmManager::guest(const std::string& id) const {
    std::lock_guard lock(mutex_);
    auto found = live_.find(id);
    return found == live_.end() ? nullptr : found->second.guest;
}

void VmManager::end_guest(const std::string& id) {
    if (auto running = guest(id))
        running->end(kEndPatience);
}

Result<std::vector<UniqueFd>> VmManager::open_disks(const std::string& id,
                                                    const skep::vm::v1::MachineSpec& spec) const {
    std::vector<UniqueFd> fds;
    for (const auto& disk : spec.disks()) {
        auto fd = open_file(store_.disk(id, disk.name()), disk.read_only() ? O_RDONLY : O_RDWR);
        RETURN_IF_ERROR(fd);
        fds.push_back(std::move(*fd));
    }
    return fds;
}

Result<Vm> VmManager::boot(const std::string& id) {
    auto vm = get(id);
    RETURN_IF_ERROR(vm);
    std::vector<UniqueFd> fds;
    for (const auto& image : {vm->spec().boot().kernel(), vm->spec().boot().initrd()}) {
        if (image.empty())
            continue;
        auto image_id = image.substr(image.find('/') + 1);
        auto record = get_record<Image>(catalogue_, Table::Images, image_id);
        if (!record)
            return fail(Error(Code::FailedPrecondition, "IMAGE_MISSING",
                              vm->name() + " boots from images/" + image_id +
                                  ", which is not on this appliance")
                            .on("images/" + image_id)
                            .with_hint("upload it: skep image upload " + image_id + " FILE"));
        auto fd = open_file(store_.image(image_id), O_RDONLY);
        RETURN_IF_ERROR(fd);
        fds.push_back(std::move(*fd));
    }
    auto disks = open_disks(id, vm->spec());
    RETURN_IF_ERROR(disks);
    for (auto& disk : *disks)
        fds.push_back(std::move(disk));
    std::vector<int> numbers;
    for (const auto& fd : fds)
        numbers.push_back(fd.get());

    auto guest = launch(id);
    RETURN_IF_ERROR(guest);
    auto done = (*guest)->configure(vm->spec(), numbers);
    if (done)
        done = (*guest)->run();
    if (!done) {
        (*guest)->end(kEndPatience);
        return fail(with_memory_hint(done.error()));
    }
    return set_state(id, VM_STATE_RUNNING, "");
}

Result<Operation> VmManager::start(const std::string& id, const std::string& etag,
                                   const std::string& request_id) {
    auto earlier = operations_.earlier("StartVm", request_id);
    RETURN_IF_ERROR(earlier);
    if (*earlier)
        return **earlier;
    RETURN_IF_ERROR(get(id));  // a name that does not exist is said first
    auto held = claim(id);
    RETURN_IF_ERROR(held);
    auto vm = get(id);
    RETURN_IF_ERROR(vm);
    RETURN_IF_ERROR(check_etag(*vm, etag));
    bool paused = vm->state() == VM_STATE_PAUSED;
    if (vm->state() != VM_STATE_STOPPED && vm->state() != VM_STATE_CRASHED && !paused)
        return fail(wrong_state(*vm, "stopped", "'skep vm stop " + id + "' stops it"));
    RETURN_IF_ERROR(check_can_run_guests(paths_));
    return operations_.begin(
        "StartVm", vm->name(), request_id,
        [this, id, paused, held = *held](Operations::Handle&) -> Operations::Outcome {
            if (paused) {
                auto running = guest(id);
                auto resumed = running ? running->run()
                                       : Result<void>(fail(Error(Code::Aborted, "GUEST_ENDED",
                                                                 "the guest has ended")));
                RETURN_IF_ERROR(resumed);
                auto vm = set_state(id, VM_STATE_RUNNING, "");
                RETURN_IF_ERROR(vm);
                return std::make_unique<Vm>(*vm);
            }
            RETURN_IF_ERROR(set_state(id, VM_STATE_STARTING, ""));
            auto vm = boot(id);
            if (!vm) {
                [[maybe_unused]] auto stored =
                    set_state(id, VM_STATE_STOPPED, "start failed: " + vm.error().message);
                return fail(vm.error());
            }
            return std::make_unique<Vm>(*vm);
        });
}

Result<Operation> VmManager::stop(const std::string& id, const std::string& etag,
                                  const std::string& request_id) {
    auto earlier = operations_.earlier("StopVm", request_id);
    RETURN_IF_ERROR(earlier);
    if (*earlier)
        return **earlier;
    RETURN_IF_ERROR(get(id));
    auto held = claim(id);
    RETURN_IF_ERROR(held);
    auto vm = get(id);
    RETURN_IF_ERROR(vm);
    RETURN_IF_ERROR(check_etag(*vm, etag));
    if (!guest(id))
        return fail(wrong_state(*vm, "running", "there is nothing to stop"));
    return operations_.begin("StopVm", vm->name(), request_id,
                             [this, id, held = *held](Operations::Handle&) -> Operations::Outcome {
                                 RETURN_IF_ERROR(set_state(id, VM_STATE_STOPPING, ""));
                                 end_guest(id);
                                 auto vm = get(id);
                                 RETURN_IF_ERROR(vm);
                                 return std::make_unique<Vm>(*vm);
                             });
}

Result<void> VmManager::remove(const std::string& id, const std::string& etag, bool force) {
    RETURN_IF_ERROR(get(id));
    auto held = claim(id);
    RETURN_IF_ERROR(held);
    auto vm = get(id);
    RETURN_IF_ERROR(vm);
    RETURN_IF_ERROR(check_etag(*vm, etag));
    if (guest(id)) {
        if (!force)
            return fail(wrong_state(
                *vm, "stopped",
                "stop it first ('skep vm stop " + id + "'), or delete it with --force"));
        end_guest(id);
    }
    return discard(id);
}

Result<std::string> VmManager::user_of_image(const std::string& id) {
    auto name = "images/" + id;
    std::string after;
    for (;;) {
        auto rows = catalogue_.list(Table::Vms, after, 100);
        RETURN_IF_ERROR(rows);
        if (rows->empty())
            return std::string();
        for (const auto& row : *rows) {
            auto vm = decode<Vm>(Table::Vms, row);
            RETURN_IF_ERROR(vm);
            bool creating = vm->state() == VM_STATE_CREATING;
            const auto& spec = vm->spec();
            if (spec.boot().kernel() == name || spec.boot().initrd() == name ||
                (creating && std::any_of(spec.disks().begin(), spec.disks().end(),
                                         [&](const auto& disk) { return disk.image() == name; })))
                return vm->name();
        }
        after = rows->back().id;
    }
}

std::shared_ptr<ConsoleBuffer> VmManager::console(const std::string& id) const {
    std::lock_guard lock(mutex_);
    auto found = live_.find(id);
    return found == live_.end() ? nullptr : found->second.console;
}

Result<void> VmManager::type(const std::string& id, std::string_view bytes) {
    auto running = guest(id);
    if (!running || !running->type(bytes))
        return fail(Error(Code::FailedPrecondition, "VM_NOT_RUNNING", name_of(id) + " does not run")
                        .on(name_of(id)));
    return {};
}

}  // namespace skep::mgmt
