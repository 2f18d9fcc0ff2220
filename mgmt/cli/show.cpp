#include "mgmt/cli/show.hpp"

#include "mgmt/cli/size_text.hpp"
#include "mgmt/common/error.hpp"

namespace skep::mgmt::cli {
namespace {

using namespace skep::api::v1;
using Rows = std::vector<std::pair<std::string, std::string>>;

void add_spec(Rows& rows, const skep::vm::v1::MachineSpec& spec) {
    rows.emplace_back("vcpus", std::to_string(spec.vcpus()));
    rows.emplace_back("memory", size_text(spec.memory_bytes()));
    rows.emplace_back("kernel", spec.boot().kernel());
    rows.emplace_back("initrd", spec.boot().initrd());
    rows.emplace_back("command line", spec.boot().command_line());
    for (const auto& disk : spec.disks())
        rows.emplace_back("disk " + printable(disk.name()),
                          size_text(disk.size_bytes()) + (disk.read_only() ? ", read-only" : "") +
                              (disk.image().empty() ? "" : ", from " + disk.image()));
}

}  // namespace

std::string state_text(VmState state) {
    auto text = VmState_Name(state);
    text = text.empty() ? "unknown" : text.substr(sizeof "VM_STATE_" - 1);
    for (auto& c : text)
        if (c >= 'A' && c <= 'Z')
            c = static_cast<char>(c + 32);
    return text;
}

std::string details(const Vm& vm) {
    Rows rows = {
        {"name", vm.name()}, {"state", state_text(vm.state())}, {"detail", vm.state_detail()}};
    add_spec(rows, vm.spec());
    rows.emplace_back("restored from", vm.source_snapshot());
    rows.emplace_back("created", time_text(vm.create_time()));
    rows.emplace_back("changed", time_text(vm.update_time()));
    rows.emplace_back("etag", vm.etag());
    return details_text(rows);
}

std::string details(const Snapshot& snapshot) {
    Rows rows = {{"name", snapshot.name()},
                 {"of", snapshot.imported() ? "(imported)" : snapshot.source_vm()},
                 {"size", size_text(snapshot.size_bytes())},
                 {"creator", snapshot.creator()}};
    add_spec(rows, snapshot.spec());
    rows.emplace_back("created", time_text(snapshot.create_time()));
    rows.emplace_back("etag", snapshot.etag());
    return details_text(rows);
}

std::string details(const Image& image) {
    return details_text({{"name", image.name()},
                         {"size", size_text(image.size_bytes())},
                         {"sha256", image.sha256()},
                         {"created", time_text(image.create_time())},
                         {"etag", image.etag()}});
}

std::string details(const Operation& operation) {
    Rows rows = {
        {"name", operation.name()}, {"kind", operation.kind()}, {"target", operation.target()}};
    rows.emplace_back("state", !operation.done()       ? "running"
                               : operation.has_error() ? "failed"
                                                       : "done");
    if (operation.has_error())
        rows.emplace_back(
            "error", std::string(code_name(static_cast<Code>(operation.error().code()))) + ": " +
                         operation.error().message());
    if (operation.has_progress())
        rows.emplace_back("progress", operation.progress().stage() + ", " +
                                          size_text(operation.progress().done_bytes()) + " of " +
                                          size_text(operation.progress().total_bytes()));
    rows.emplace_back("created", time_text(operation.create_time()));
    rows.emplace_back("ended", time_text(operation.end_time()));
    return details_text(rows);
}

}  // namespace skep::mgmt::cli
