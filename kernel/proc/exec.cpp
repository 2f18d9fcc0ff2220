#include <kernel/proc/exec.hpp>

#include <kernel/abi/personality.hpp>
#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/base/log.hpp>
#include <kernel/base/make.hpp>
#include <kernel/dev/random.hpp>
#include <kernel/event/process_source.hpp>
#include <kernel/mm/address_space.hpp>
#include <kernel/mm/layout.hpp>
#include <kernel/proc/signal.hpp>
#include <kernel/proc/trace.hpp>
#include <kernel/vfs/vnode.hpp>

#include <algorithm>
#include <cstring>

namespace skep::kernel {

Result<> StringList::add(std::string_view text) {
    const std::size_t at = text_.size();
    if (text.size() + 1 > kMaxBytes - at)
        return fail(Errno::TooBig);
    if (text_.size() + text.size() + 1 > 4096)  // grow by doubling, not to the exact size
        SKEP_TRY(text_.reserve(std::max<std::size_t>(std::bit_ceil(at + text.size() + 1), 8192)));
    SKEP_TRY(text_.resize(at + text.size() + 1));
    text.copy(text_.data() + at, text.size());
    count_++;
    return {};
}

Result<> StringList::add_user(UserAddr text, std::size_t budget) {
    const std::size_t at = text_.size();
    for (std::size_t room = 256;; room *= 2) {
        room = std::min(room, kMaxBytes);
        SKEP_TRY(text_.resize(at + room));
        const auto length = copy_in_string(text_.data() + at, text, room);
        if (length) {
            SKEP_TRY(text_.resize(at + *length + 1));
            count_++;
            return text_.size() > budget ? Result<>(fail(Errno::TooBig)) : Result<>();
        }
        if (length.error() != Errno::NameTooLong)
            return fail(length.error());
        if (room > budget || room == kMaxBytes)
            return fail(Errno::TooBig);
    }
}

Result<> StringList::replace_first(const StringList& prefix) {
    const std::size_t skip = count_ ? std::strlen(text_.data()) + 1 : 0;
    Vector<char> all;
    SKEP_TRY(all.resize(prefix.bytes() + text_.size() - skip));
    std::copy_n(prefix.data(), prefix.bytes(), all.data());
    std::copy_n(text_.data() + skip, text_.size() - skip, all.data() + prefix.bytes());
    text_.swap(all);
    count_ = prefix.count() + (count_ ? count_ - 1 : 0);
    return {};
}

Result<> copy_in_strings(UserAddr array, StringList& out, std::size_t budget) {
    if (!array)
        return {};
    for (;; array += sizeof(UserAddr)) {
        const auto text = SKEP_TRY(copy_in<UserAddr>(array));
        if (!text)
            return {};
        SKEP_TRY(out.add_user(text, budget));
    }
}

namespace {

constexpr std::uint64_t kProgramBase = 0x5555'5555'4000;  // of position-independent programs
constexpr std::uint64_t kMinStack = 256 * 1024, kMaxStack = 1024 * 1024 * 1024;
constexpr int kMaxInterpreters = 4;  // of scripts

constexpr std::uint64_t page_of(std::uint64_t a) {
    return a & ~(kPageSize - 1);
}
constexpr std::uint64_t page_up(std::uint64_t a) {
    return page_of(a + kPageSize - 1);
}

Result<std::size_t> read_at(File& file, std::span<std::byte> to, std::uint64_t offset) {
    const IoSegment segment{reinterpret_cast<UserAddr>(to.data()), to.size()};
    Uio uio = Uio::kernel({&segment, 1});
    return file.read(uio, &offset);
}

// A file to execute, its head read.
struct Program {
    Ref<File> file;
    std::uint64_t size = 0;
    Vector<std::byte> head;
};

Result<> check_executable(const Actor& actor, Program& program) {
    FileStat stat;
    SKEP_TRY(program.file->stat(stat));
    if ((stat.mode & kModeTypeMask) != mode_of(VnodeType::Regular))
        return fail(Errno::Acces);
    SKEP_TRY(check_access(stat, actor.caller, kAccessExecute));
    program.size = stat.size;
    SKEP_TRY(program.head.resize(kPageSize));
    const std::size_t size = SKEP_TRY(read_at(*program.file, program.head.span(), 0));
    return program.head.resize(size);
}

Result<Program> open_program(const Actor& actor, Place place) {
    Program program;
    program.file = SKEP_TRY(open_file(actor, place, {}));
    SKEP_TRY(check_executable(actor, program));
    return program;
}

std::uint64_t map_hint(const ElfImage& image) {
    return image.position_independent ? kProgramBase : image.low;
}

// The file's segments at `bias`. The address range is free or may be replaced.
Result<> map_segments(VmMap& map, Program& program, const ElfImage& image, std::uint64_t bias) {
    for (const ElfSegment& s : std::span(image.segments).first(image.segment_count)) {
        const std::uint64_t start = page_of(bias + s.address),
                            file_end = page_up(bias + s.address + s.file_size),
                            end = page_up(bias + s.address + s.memory_size);
        if (s.file_size > 0) {
            MapRequest request{.address = start,
                               .size = file_end - start,
                               .protection = s.protection,
                               .fixed = true};
            const MmapRequest what{page_of(s.offset), file_end - start, s.protection, false};
            request.object = SKEP_TRY(program.file->mmap(what, &request.offset));
            SKEP_TRY(map.map(request));
        }
        const std::uint64_t zeros = s.file_size > 0 ? file_end : start;
        if (end > zeros)
            SKEP_TRY(map.map({.address = zeros,
                              .size = end - zeros,
                              .protection = s.protection,
                              .fixed = true}));
    }
    return {};
}

// The rest of a page in which a segment's file part ends is zeros, also past the segment's end:
// glibc's ld.so takes its first memory from there and does not clear it. In the new address space.
Result<> clear_tails(const ElfImage& image, std::uint64_t bias) {
    for (const ElfSegment& s : std::span(image.segments).first(image.segment_count)) {
        const std::uint64_t end = bias + s.address + s.file_size;
        if (s.file_size > 0 && s.memory_size > s.file_size && s.protection & kProtWrite &&
            end % kPageSize != 0)
            SKEP_TRY(clear_user(end, page_up(end) - end));
    }
    return {};
}

struct Loaded {
    Ref<VmMap> map;
    ElfImage image;
    std::uint64_t bias = 0;
    ElfImage interpreter;
    std::uint64_t interpreter_bias = 0;
    std::uint64_t interpreter_base = 0;  // 0: none
    std::uint64_t entry = 0;
    std::uint64_t stack_low = 0;
};

Result<> load_interpreter(const Actor& actor, Program& program, Loaded& loaded) {
    char path[256];
    const std::uint64_t size = loaded.image.interpreter_size;
    if (size < 2 || size > sizeof path)
        return fail(Errno::NoExec);
    const std::size_t got =
        SKEP_TRY(read_at(*program.file, {reinterpret_cast<std::byte*>(path), size},
                         loaded.image.interpreter_offset));
    if (got != size || path[size - 1] != 0)
        return fail(Errno::NoExec);
    Program interpreter = SKEP_TRY(open_program(actor, {nullptr, std::string_view(path)}));
    loaded.interpreter = SKEP_TRY(parse_elf(interpreter.head.span(), interpreter.size));
    const ElfImage& image = loaded.interpreter;
    if (!image.position_independent)
        return fail(Errno::NoExec);
    const std::uint64_t base =
        SKEP_TRY(loaded.map->map({.size = image.high - image.low, .protection = 0}));
    loaded.interpreter_bias = base - image.low;
    loaded.interpreter_base = base;
    SKEP_TRY(map_segments(*loaded.map, interpreter, image, loaded.interpreter_bias));
    loaded.entry = loaded.interpreter_bias + image.entry;
    return {};
}

Result<Loaded> load(const Actor& actor, Program& program, std::uint64_t stack_limit) {
    Loaded loaded;
    loaded.image = SKEP_TRY(parse_elf(program.head.span(), program.size));
    loaded.map = SKEP_TRY(VmMap::create());
    const ElfImage& image = loaded.image;
    loaded.bias = map_hint(image) - image.low;
    if (image.high + loaded.bias > kUserEnd)
        return fail(Errno::NoExec);
    SKEP_TRY(map_segments(*loaded.map, program, image, loaded.bias));
    loaded.entry = loaded.bias + image.entry;
    loaded.map->set_brk_start(page_up(loaded.bias + image.high));
    if (image.interpreter_size)
        SKEP_TRY(load_interpreter(actor, program, loaded));
    const std::uint64_t stack = page_up(std::clamp(stack_limit, kMinStack, kMaxStack));
    loaded.stack_low = kStackTop - stack;
    SKEP_TRY(loaded.map->map(
        {.address = loaded.stack_low, .size = stack, .fixed = true, .replace = false}));
    return loaded;
}

// The System V ABI's initial stack (psABI 3.4.1): argc, argv, envp, the auxiliary vector, then
// strings.
Result<UserAddr> build_stack(const Personality& personality, const Loaded& loaded,
                             std::string_view path, const StringList& arguments,
                             const StringList& environment) {
    UserAddr at = kProgramStrings;  // a word of zeros ends it
    auto put = [&](const void* from, std::size_t size) {
        at -= size;
        return copy_out(at, from, size);
    };
    SKEP_TRY(put(path.data(), 0));
    at -= path.size() + 1;
    SKEP_TRY(copy_out(at, path.data(), path.size()));
    const UserAddr path_at = at;
    SKEP_TRY(put(environment.data(), environment.bytes()));
    const UserAddr environment_at = at;
    SKEP_TRY(put(arguments.data(), arguments.bytes()));
    const UserAddr arguments_at = at;
    SKEP_TRY(put("x86_64", 7));
    const UserAddr platform = at;
    at &= ~15ull;
    std::byte random[16];
    fill_random(random, sizeof random);
    SKEP_TRY(put(random, sizeof random));

    StackLayout layout{&loaded.image,
                       loaded.bias,
                       loaded.interpreter_base,
                       at,
                       platform,
                       path_at,
                       {},
                       {},
                       kStackTop - loaded.stack_low};
    layout.argument_count = static_cast<std::uint32_t>(arguments.count());
    layout.environment_count = static_cast<std::uint32_t>(environment.count());
    std::uint64_t auxiliary[32][2];
    const std::size_t pairs = personality.auxiliary_vector(layout, auxiliary, std::size(auxiliary));

    Vector<std::uint64_t> words;
    SKEP_TRY(words.reserve(arguments.count() + environment.count() + 3 + pairs * 2));
    auto word = [&](std::uint64_t w) { return words.push_back(w); };
    SKEP_TRY(word(arguments.count()));
    auto pointers = [&](const StringList& list, UserAddr base) -> Result<> {
        for (std::size_t offset = 0; offset < list.bytes();
             offset += std::strlen(list.data() + offset) + 1)
            SKEP_TRY(word(base + offset));
        return word(0);
    };
    SKEP_TRY(pointers(arguments, arguments_at));
    SKEP_TRY(pointers(environment, environment_at));
    for (std::size_t i = 0; i < pairs; i++) {
        SKEP_TRY(word(auxiliary[i][0]));
        SKEP_TRY(word(auxiliary[i][1]));
    }
    const std::size_t size = words.size() * sizeof(std::uint64_t);
    at = (at - size) & ~15ull;
    SKEP_TRY(copy_out(at, words.data(), size));
    const UserAddr argument_pointers = at + sizeof(std::uint64_t);  // after their count
    SKEP_TRY(copy_out(kProgramStrings,
                      ProgramStrings{.arguments = argument_pointers,
                                     .argument_count = layout.argument_count,
                                     .padding = 0,
                                     .environment = argument_pointers +
                                                    (arguments.count() + 1) * sizeof(UserAddr),
                                     .environment_count = layout.environment_count,
                                     .padding2 = 0}));
    return at;
}

std::string_view base_name(std::string_view path) {
    const auto slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

void set_command(Process& process, Thread& thread, std::string_view path) {
    const std::string_view name = base_name(path).substr(0, sizeof process.command - 1);
    for (char* to : {process.command, thread.command}) {
        std::memset(to, 0, sizeof process.command);
        name.copy(to, name.size());
    }
}

// "#!interpreter [argument]": -> whether it was one; then `program` and `arguments` are replaced.
Result<bool> follow_script(const Actor& actor, Program& program, std::string_view path,
                           StringList& arguments, char (&interpreter)[256]) {
    const std::string_view head(reinterpret_cast<const char*>(program.head.data()),
                                program.head.size());
    if (!head.starts_with("#!"))
        return false;
    std::string_view line = head.substr(2, std::min<std::size_t>(head.find('\n'), 256) - 2);
    auto trim = [](std::string_view s) {
        while (!s.empty() && (s.front() == ' ' || s.front() == '\t'))
            s.remove_prefix(1);
        while (!s.empty() && (s.back() == ' ' || s.back() == '\t' || s.back() == '\r'))
            s.remove_suffix(1);
        return s;
    };
    line = trim(line);
    const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
    const std::string_view name = line.substr(0, end), argument = trim(line.substr(end));
    if (name.empty() || name.size() >= sizeof interpreter)
        return fail(Errno::NoExec);
    StringList prefix;
    SKEP_TRY(prefix.add(name));
    if (!argument.empty())
        SKEP_TRY(prefix.add(argument));
    SKEP_TRY(prefix.add(path));
    SKEP_TRY(arguments.replace_first(prefix));
    interpreter[name.copy(interpreter, name.size())] = 0;
    program = SKEP_TRY(open_program(actor, {nullptr, std::string_view(interpreter)}));
    return true;
}

Result<> run(const Actor& actor, Program program, std::string_view path, StringList& arguments,
             StringList& environment) {
    Thread& me = current_thread();
    Process& process = *me.process;
    char interpreter[256];
    for (int depth = 0; SKEP_TRY(follow_script(actor, program, path, arguments, interpreter));
         depth++) {
        path = interpreter;
        if (depth == kMaxInterpreters)
            return fail(Errno::Loop);
    }
    Loaded loaded = SKEP_TRY(load(actor, program, process.limit(Limit::Stack)));
    if (arguments.bytes() + environment.bytes() > (kStackTop - loaded.stack_low) / 4)
        return fail(Errno::TooBig);
    const Personality* personality = find_personality(loaded.image);
    if (!personality)
        return fail(Errno::NoExec);
    if (personality->prepare_map)
        SKEP_TRY(personality->prepare_map(*loaded.map, loaded.image));
    Ref<DescriptorTable> descriptors = SKEP_TRY(process.descriptors->copy());
    SKEP_TRY(become_single_threaded());

    // No way back from here.
    process.personality->release_robust_locks(me);
    descriptors->close_for_exec();
    loaded.map->add_user();
    Ref<VmMap> old = loaded.map;
    Ref<Vnode> executable = program.file->vnode();
    {
        const SpinGuard guard(process_lock);
        std::swap(process.map, old);
        std::swap(process.descriptors, descriptors);
        std::swap(process.executable, executable);
        process.executed = true;
    }
    switch_address_space(*process.map);
    process.personality = personality;
    set_command(process, me, path);
    process.posix_timers.clear();
    reset_signals_for_exec(process);
    // Before others can see by a pipe that closes, or by vfork(2) returning, that it has happened:
    // who begins to watch the process then is told of no exec.
    process.life_events.notify(kProcessExec);
    descriptors.reset();
    executable.reset();
    release_vfork_parent(process);
    if (old)
        old->remove_user();
    old.reset();
    me.clear_child_tid = 0;
    me.robust_list = me.robust_private_list = me.robust_inactive = 0;
    process.arguments.clear();
    if (process.arguments.resize(std::min<std::size_t>(arguments.bytes(), kPageSize)))
        std::memcpy(process.arguments.data(), arguments.data(), process.arguments.size());
    {
        const InterruptsOff off;
        me.fs_base = me.gs_base = 0;
        write_msr(Msr::FsBase, 0);
        write_msr(Msr::KernelGsBase, 0);
        reset_fpu(*me.fpu);
        restore_fpu(*me.fpu);
    }

    auto prepare = [&]() -> Result<UserAddr> {
        SKEP_TRY(clear_tails(loaded.image, loaded.bias));
        SKEP_TRY(clear_tails(loaded.interpreter, loaded.interpreter_bias));
        return build_stack(*personality, loaded, path, arguments, environment);
    };
    const Result<UserAddr> stack = prepare();
    if (!stack) {
        // Not exit_process_by_signal(): this function's references would never be dropped.
        log("{} (pid {}): no memory to start it", static_cast<const char*>(process.command),
            process.id);
        send_signal(process, {.signal = Signal::Kill});
        return fail(stack.error());
    }
    TrapFrame& frame = me.user_frame();
    frame = {};
    frame.cs = USER_CODE_SELECTOR;
    frame.ss = USER_DATA_SELECTOR;
    frame.rflags = kRflagsInterrupt;
    frame.rip = loaded.entry;
    frame.use_iret();
    personality->start_program(frame, *stack);
    trace_exec();
    return {};
}

}  // namespace

Result<> execute(const Actor& actor, Place place, StringList& arguments, StringList& environment) {
    Program program = SKEP_TRY(open_program(actor, place));
    return run(actor, std::move(program), place.path, arguments, environment);
}

Result<> execute_file(const Actor& actor, Ref<File> file, std::string_view path,
                      StringList& arguments, StringList& environment) {
    Program program;
    program.file = std::move(file);
    SKEP_TRY(check_executable(actor, program));
    return run(actor, std::move(program), path, arguments, environment);
}

}  // namespace skep::kernel
