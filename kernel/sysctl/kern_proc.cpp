// kern.proc.*: sys/sysctl.h, KERN_PROC_*; sys/user.h.
#include <kernel/proc/process.hpp>
#include <kernel/sysctl/values.hpp>
#include <kernel/vfs/current.hpp>
#include <kernel/vfs/path.hpp>

#include <algorithm>

namespace skep::kernel::sysctl {

namespace {

// Of the process that the number after the node names; -1: the caller. Srch, Inval.
Result<Ref<Process>> named(Numbers rest) {
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

Result<> read_path_name(Numbers rest, Value& out) {
    const Ref<Process> p = SKEP_TRY(named(rest));
    if (!p->executable)
        return fail(Errno::NoEnt);
    const Vnode::Name name = SKEP_TRY(p->executable->any_name());
    const Text path = SKEP_TRY(path_of(current_fs(), name.directory, name.name.view()));
    return out.put_text(path.view());
}

Result<> read_arguments(Numbers rest, Value& out) {
    const Ref<Process> p = SKEP_TRY(named(rest));
    Vector<std::byte>& bytes = out.storage();
    SKEP_TRY(bytes.resize(kPageSize));
    const SpinGuard guard(p->lock);
    const std::size_t size = std::min(p->arguments.size(), bytes.size());
    std::memcpy(bytes.data(), p->arguments.data(), size);
    return bytes.resize(size);
}

constexpr Node leaf(std::int32_t number, std::string_view name, Type type, std::string_view format, Result<> (*read)(Numbers, Value&)) {
    return {.number = number, .name = name, .type = type, .format = format, .read = read, .open_ended = true};
}

constexpr Node kProc[] = {
    leaf(7, "args", Type::Opaque, "", read_arguments),
    leaf(12, "pathname", Type::String, "A", read_path_name),
};

}  // namespace

const std::span<const Node> kern_proc_nodes = kProc;

}  // namespace skep::kernel::sysctl
