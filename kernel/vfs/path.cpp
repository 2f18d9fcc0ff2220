#include <kernel/vfs/path.hpp>

#include <kernel/base/make.hpp>
#include <kernel/vfs/file_system.hpp>

namespace skep::kernel {

namespace {

class Walker {
  public:
    Walker(FsContext& context, const Caller& caller, const WalkHow& how, Walked& walked)
        : caller_(caller), how_(how), walked_(walked), root_(context.root()) {}

    Result<> run(const Ref<Vnode>& start, std::string_view path);

  private:
    Result<> step(std::string_view name, bool last, std::string_view rest, bool trailing_slash);
    Result<> up();
    Result<> expand(Vnode& link, std::string_view rest);
    Result<> jump_to_root();
    static std::string_view skip_slashes(std::string_view s) {
        while (!s.empty() && s.front() == '/')
            s.remove_prefix(1);
        return s;
    }

    const Caller& caller_;
    const WalkHow& how_;
    Walked& walked_;
    Ref<Vnode> root_, start_, current_;
    Text expanded_;  // holds what rest_ refers to after a symlink
    std::string_view rest_;
    unsigned links_ = 0;
};

Result<> Walker::jump_to_root() {
    if (how_.beneath)
        return fail(Errno::XDev);
    current_ = how_.in_root ? start_ : root_;
    return {};
}

Result<> Walker::run(const Ref<Vnode>& start, std::string_view path) {
    if (path.empty())
        return fail(Errno::NoEnt);
    current_ = start_ = start;
    rest_ = path;
    if (path.front() == '/')
        SKEP_TRY(jump_to_root());
    walked_.directory = current_;
    while (!(rest_ = skip_slashes(rest_)).empty()) {
        const std::size_t length = rest_.find('/');
        const std::string_view name = rest_.substr(0, length);
        const std::string_view after =
            length == std::string_view::npos ? std::string_view{} : rest_.substr(length);
        const std::string_view next = skip_slashes(after);
        rest_ = next;
        SKEP_TRY(step(name, next.empty(), after, next.empty() && !after.empty()));
    }
    if (walked_.must_be_directory && current_ && !current_->is_directory())
        return fail(Errno::NotDir);
    walked_.vnode = std::move(current_);
    return {};
}

Result<> Walker::up() {
    const Ref<Vnode>& limit = how_.beneath || how_.in_root ? start_ : root_;
    if (current_ == limit)
        return how_.beneath ? Result<>(fail(Errno::XDev)) : Result<>();
    while (current_ == current_->file_system().root()) {
        Ref<Vnode> covered = current_->file_system().covered();
        if (!covered)
            return {};
        if (how_.no_mounts)
            return fail(Errno::XDev);
        current_ = std::move(covered);
        if (current_ == limit)
            return {};
    }
    current_ = SKEP_TRY(current_->parent());
    return {};
}

Result<> Walker::expand(Vnode& link, std::string_view rest) {
    if (++links_ > kSymlinkMax || how_.no_symlinks)
        return fail(Errno::Loop);
    if (Ref<Vnode> target = SKEP_TRY(link.follow())) {
        if (how_.no_magic_links)
            return fail(Errno::Loop);
        if (how_.beneath || how_.in_root)
            return fail(Errno::XDev);
        walked_.directory = current_ = std::move(target);
        return {};
    }
    Vector<char> buffer;
    SKEP_TRY(buffer.resize(kPathMax));
    const std::size_t size = SKEP_TRY(link.read_link(buffer.span()));
    if (size == 0)
        return fail(Errno::NoEnt);
    if (size + rest.size() >= kPathMax)
        return fail(Errno::NameTooLong);
    Text joined = SKEP_TRY(Text::join({buffer.data(), size}, rest, {}));
    expanded_ = std::move(joined);  // `rest` may refer to the old text: only now
    rest_ = expanded_.view();
    if (rest_.front() == '/')
        SKEP_TRY(jump_to_root());
    walked_.directory = current_;
    return {};
}

Result<> Walker::step(std::string_view name, bool last, std::string_view rest,
                      bool trailing_slash) {
    if (!current_->is_directory())
        return fail(Errno::NotDir);
    FileStat stat;
    SKEP_TRY(current_->stat(stat));
    SKEP_TRY(check_access(stat, caller_, kAccessExecute));
    walked_.must_be_directory = trailing_slash;
    walked_.ends_in_dot = name == ".";
    walked_.ends_in_dots = name == "..";
    walked_.name_size = 0;
    if (walked_.ends_in_dot || walked_.ends_in_dots) {
        if (walked_.ends_in_dots)
            SKEP_TRY(up());
        walked_.directory = current_;
        return {};
    }
    if (name.size() > kNameMax)
        return fail(Errno::NameTooLong);
    auto found = current_->lookup(name);
    if (!found) {
        if (found.error() != Errno::NoEnt || !last || !how_.may_be_absent)
            return fail(found.error());
        name.copy(walked_.name_buffer.data(), name.size());
        walked_.name_size = name.size();
        walked_.directory = std::move(current_);
        current_ = {};
        return {};
    }
    Ref<Vnode> child = std::move(*found);
    while (child->has_mount()) {
        Ref<Vnode> mounted = mounts().mounted_on(*child);
        if (!mounted)
            break;
        if (how_.no_mounts)
            return fail(Errno::XDev);
        child = std::move(mounted);
    }
    if (child->type() == VnodeType::Symlink && (!last || how_.follow || trailing_slash))
        return expand(*child, rest);
    name.copy(walked_.name_buffer.data(), name.size());
    walked_.name_size = name.size();
    walked_.directory = std::move(current_);
    current_ = std::move(child);
    return {};
}

}  // namespace

Result<> check_access(const FileStat& stat, const Caller& caller, std::uint32_t wanted) {
    if (caller.superuser()) {
        const bool directory = (stat.mode & kModeTypeMask) == mode_of(VnodeType::Directory);
        if ((wanted & kAccessExecute) && !directory && !(stat.mode & 0111))
            return fail(Errno::Acces);
        return {};
    }
    const unsigned shift = caller.user == stat.user ? 6 : caller.in_group(stat.group) ? 3 : 0;
    if ((stat.mode >> shift & wanted) != wanted)
        return fail(Errno::Acces);
    return {};
}

Result<> walk_path(FsContext& context, const Caller& caller, const Ref<Vnode>& start,
                   std::string_view path, const WalkHow& how, Walked& walked) {
    return Walker(context, caller, how, walked).run(start, path);
}

Result<Text> path_of_directory(FsContext& context, Ref<Vnode> directory) {
    const Ref<Vnode> root = context.root();
    // Filled from the end.
    Vector<char> buffer;
    SKEP_TRY(buffer.resize(kPathMax));
    std::size_t at = buffer.size();
    while (directory != root) {
        if (directory == directory->file_system().root()) {
            Ref<Vnode> covered = directory->file_system().covered();
            if (!covered)
                break;  // outside the context's root: shown from the real root
            directory = std::move(covered);
            continue;
        }
        char name[kNameMax];
        const std::size_t size = SKEP_TRY(directory->name_in_parent(name));
        if (size + 1 > at)
            return fail(Errno::NameTooLong);
        at -= size;
        std::memcpy(buffer.data() + at, name, size);
        buffer[--at] = '/';
        directory = SKEP_TRY(directory->parent());
    }
    if (at == buffer.size())
        buffer[--at] = '/';
    return Text::copy({buffer.data() + at, buffer.size() - at});
}

Result<Text> path_of(FsContext& context, const Ref<Vnode>& directory, std::string_view name) {
    Text prefix = SKEP_TRY(path_of_directory(context, directory));
    if (name.empty())
        return prefix;
    return Text::join(prefix.view(), prefix.view() == "/" ? "" : "/", name);
}

}  // namespace skep::kernel
