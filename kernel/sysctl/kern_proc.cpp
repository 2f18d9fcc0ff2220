// kern.proc.*: sys/sysctl.h, KERN_PROC_*; sys/user.h.
#include <kernel/abi/freebsd/release.hpp>
#include <kernel/abi/freebsd/shared_page.hpp>
#include <kernel/abi/personality.hpp>
#include <kernel/proc/exec.hpp>
#include <kernel/proc/start_record.hpp>
#include <kernel/sysctl/kern_proc_list.hpp>
#include <kernel/sysctl/kern_proc_process.hpp>
#include <kernel/sysctl/values.hpp>
#include <kernel/vfs/current.hpp>
#include <kernel/vfs/path.hpp>

#include <algorithm>

namespace skep::kernel::sysctl {

Result<Ref<Process>> named_process(Numbers rest) {
    if (rest.size() != 1)
        return fail(Errno::Inval);
    if (rest[0] == -1 || rest[0] == current_process().id)
        return Ref<Process>(&current_process());
    const SpinGuard guard(process_lock);
    Process* p = find_process(rest[0]);
    if (!p || p->state != ProcessState::Alive)
        return fail(Errno::Srch);
    return Ref<Process>(p);
}

Result<Ref<Process>> inspected_process(Numbers rest) {
    Ref<Process> p = SKEP_TRY(named_process(rest));
    if (!may_inspect(*p))
        return fail(Errno::Perm);
    return p;
}

std::size_t path_room(std::string_view path) {
    constexpr std::size_t kAlignment = 8;
    return (std::min(path.size(), kPathSize - 1) + kAlignment) & ~(kAlignment - 1);
}

Result<> put_path(std::string_view path, std::size_t room, Value& out) {
    path = path.substr(0, kPathSize - 1);
    SKEP_TRY(out.put_bytes(path.data(), path.size()));
    for (std::size_t i = path.size(); i < room; i++)
        SKEP_TRY(out.put('\0'));
    return {};
}

Text name_of(Vnode& file) {
    Text path;
    if (const auto name = file.any_name())
        if (auto found = path_of(current_fs(), name->directory, name->name.view()))
            path = std::move(*found);
    return path;
}

namespace {

Result<> read_path_name(Numbers rest, Value& out) {
    const Ref<Process> p = SKEP_TRY(named_process(rest));
    if (!p->executable)
        return fail(Errno::NoEnt);
    const Vnode::Name name = SKEP_TRY(p->executable->any_name());
    const Text path = SKEP_TRY(path_of(current_fs(), name.directory, name.name.view()));
    return out.put_text(path.view());
}

Result<> read_arguments(Numbers rest, Value& out) {
    const Ref<Process> p = SKEP_TRY(named_process(rest));
    Vector<std::byte>& bytes = out.storage();
    SKEP_TRY(bytes.resize(kPageSize));
    const SpinGuard guard(p->lock);
    const std::size_t size = std::min(p->arguments.size(), bytes.size());
    std::memcpy(bytes.data(), p->arguments.data(), size);
    return bytes.resize(size);
}

// As setproctitle(3) sets them, and ps(1) shows them.
Result<> write_arguments(std::span<const std::byte> fresh) {
    if (fresh.size() > kPageSize)
        return fail(Errno::TooBig);
    Vector<char> text;
    SKEP_TRY(text.resize(fresh.size()));
    if (!fresh.empty())
        std::memcpy(text.data(), fresh.data(), fresh.size());
    Process& me = current_process();
    const SpinGuard guard(me.lock);
    std::swap(me.arguments, text);
    return {};
}

Result<> read_emulation(Numbers rest, Value& out) {
    const Ref<Process> p = SKEP_TRY(named_process(rest));
    return out.put_text(p->personality->name);
}

Result<> read_groups(Numbers rest, Value& out) {
    const Ref<Process> p = SKEP_TRY(named_process(rest));
    const SpinGuard guard(p->lock);
    const Credentials& c = p->credentials;
    SKEP_TRY(out.put(c.effective_group));
    return out.put_bytes(c.groups.data(), c.group_count * sizeof c.groups[0]);
}

// {process, which limit}: the second number is the caller's own.
Result<> read_limit(Numbers rest, Value& out) {
    if (rest.size() != 2 || rest[1] < 0 || rest[1] >= static_cast<std::int32_t>(kLimits))
        return fail(Errno::Inval);
    const Ref<Process> p = SKEP_TRY(named_process(rest.first(1)));
    const SpinGuard guard(p->lock);
    return out.put(p->limits[static_cast<std::size_t>(rest[1])]);
}

Result<> read_strings_place(Numbers rest, Value& out) {
    SKEP_TRY(named_process(rest));
    return out.put(kProgramStrings);
}

Result<> read_umask(Numbers rest, Value& out) {
    const Ref<Process> p = SKEP_TRY(named_process(rest));
    const SpinGuard guard(process_lock);
    if (!p->fs)
        return fail(Errno::Srch);
    return out.put(static_cast<std::uint16_t>(p->fs->umask()));
}

Result<> read_release(Numbers rest, Value& out) {
    SKEP_TRY(named_process(rest));
    return out.put(std::int32_t{freebsd_abi::kReleaseDate});
}

// By which unwinders know that a frame is a signal's: sys/user.h, struct kinfo_sigtramp.
Result<> read_trampoline(Numbers rest, Value& out) {
    SKEP_TRY(named_process(rest));
    struct Place {
        std::uint64_t start, end, spare[4];
    };
    return out.put(Place{freebsd_abi::kSharedPageTrampoline,
                         freebsd_abi::kSharedPageTrampoline + freebsd_abi::kTrampolineSize,
                         {}});
}

Result<> read_descriptor_count(Numbers rest, Value& out) {
    const Ref<Process> p = SKEP_TRY(named_process(rest));
    Ref<DescriptorTable> table;
    {
        const SpinGuard guard(process_lock);
        table = p->descriptors;
    }
    if (!table)
        return fail(Errno::Srch);
    return out.put(static_cast<std::int32_t>(table->open_count()));
}

constexpr Node leaf(std::int32_t number, std::string_view name, Type type, std::string_view format,
                    Result<> (*read)(Numbers, Value&)) {
    return {.number = number,
            .name = name,
            .type = type,
            .format = format,
            .read = read,
            .open_ended = true};
}

constexpr Node kProc[] = {
    process_list<By::All>("all"),
    process_list<By::Process>("pid"),
    process_list<By::Group>("pgrp"),
    process_list<By::Session>("sid"),
    process_list<By::Terminal>("tty"),
    process_list<By::User>("uid"),
    process_list<By::RealUser>("ruid"),
    {.number = 7,
     .name = "args",
     .type = Type::Opaque,
     .format = "",
     .read = read_arguments,
     .write = write_arguments,
     .open_ended = true},
    process_list<By::Processes>("proc"),
    leaf(9, "sv_name", Type::String, "A", read_emulation),
    process_list<By::RealGroup>("rgid"),
    process_list<By::EffectiveGroup>("gid"),
    leaf(12, "pathname", Type::String, "A", read_path_name),
    process_list<By::All, true>("all_td"),
    process_list<By::Process, true>("pid_td"),
    process_list<By::Group, true>("pgrp_td"),
    process_list<By::Session, true>("sid_td"),
    process_list<By::Terminal, true>("tty_td"),
    process_list<By::User, true>("uid_td"),
    process_list<By::RealUser, true>("ruid_td"),
    process_list<By::Processes, true>("proc_td"),
    process_list<By::RealGroup, true>("rgid_td"),
    process_list<By::EffectiveGroup, true>("gid_td"),
    leaf(32, "vmmap", Type::Opaque, "", read_map),
    leaf(33, "filedesc", Type::Opaque, "", read_files),
    leaf(34, "groups", Type::Opaque, "", read_groups),
    leaf(35, "env", Type::Opaque, "", read_environment),
    leaf(36, "auxv", Type::Opaque, "", read_auxiliary_vector),
    leaf(37, "rlimit", Type::Opaque, "S,rlimit", read_limit),
    leaf(38, "ps_strings", Type::Opaque, "", read_strings_place),
    leaf(39, "umask", Type::Opaque, "", read_umask),
    leaf(40, "osrel", Type::Int, "I", read_release),
    leaf(41, "sigtramp", Type::Opaque, "S,kinfo_sigtramp", read_trampoline),
    leaf(42, "cwd", Type::Opaque, "", read_working_directory),
    leaf(43, "nfds", Type::Int, "I", read_descriptor_count),
};

}  // namespace

const std::span<const Node> kern_proc_nodes = kProc;

}  // namespace skep::kernel::sysctl
