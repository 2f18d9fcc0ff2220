#include <kernel/sysctl/node.hpp>

#include <algorithm>
#include <charconv>

namespace skep::kernel::sysctl {

namespace {

const Node* child(std::span<const Node> nodes, std::int32_t number) {
    const auto found = std::ranges::find(nodes, number, &Node::number);
    return found == nodes.end() ? nullptr : &*found;
}

std::span<const Node> children_of(const Node& node) {
    return node.children ? *node.children : std::span<const Node>();
}

// The node with the smallest number above `number`.
const Node* following(std::span<const Node> nodes, std::int32_t number) {
    const Node* best = nullptr;
    for (const Node& node : nodes)
        if (node.number > number && (!best || node.number < best->number))
            best = &node;
    return best;
}

bool first_leaf(const Node& node, Path& path) {
    path.numbers[path.size++] = node.number;
    if (node.type != Type::Node)
        return true;
    for (const Node* next = following(children_of(node), -1); next;
         next = following(children_of(node), next->number))
        if (first_leaf(*next, path))
            return true;
    path.size--;
    return false;
}

// The first leaf after `after`, below `nodes`; `path` has led to them.
bool leaf_after(std::span<const Node> nodes, Numbers after, Path& path) {
    if (!after.empty()) {
        if (const Node* here = child(nodes, after[0]); here && here->type == Type::Node) {
            path.numbers[path.size++] = here->number;
            if (leaf_after(children_of(*here), after.subspan(1), path))
                return true;
            path.size--;
        }
    }
    const std::int32_t from = after.empty() ? -1 : after[0];
    for (const Node* next = following(nodes, from); next; next = following(nodes, next->number))
        if (first_leaf(*next, path))
            return true;
    return false;
}

}  // namespace

Result<Found> find(std::span<const Node> nodes, Numbers numbers) {
    const Node* node = nullptr;
    while (!numbers.empty()) {
        if (node && node->type != Type::Node)
            break;
        const Node* next = child(node ? children_of(*node) : nodes, numbers[0]);
        if (!next) {
            if (node && node->open_ended)
                break;
            return fail(Errno::NoEnt);
        }
        node = next;
        numbers = numbers.subspan(1);
    }
    if (!node)
        return fail(Errno::NoEnt);
    if (!numbers.empty() && !node->open_ended)
        return fail(Errno::NotDir);
    return Found{node, numbers};
}

Result<Path> find_name(std::span<const Node> nodes, std::string_view name) {
    Path path;
    const Node* node = nullptr;
    while (!name.empty()) {
        const std::size_t end = std::min(name.find('.'), name.size());
        const std::string_view part = name.substr(0, end);
        name.remove_prefix(std::min(end + 1, name.size()));
        const std::span<const Node> among = node ? children_of(*node) : nodes;
        const auto found = std::ranges::find(among, part, &Node::name);
        if (found == among.end() || path.size == kMaxDepth)
            return fail(Errno::NoEnt);
        node = &*found;
        path.numbers[path.size++] = node->number;
    }
    if (!node)
        return fail(Errno::NoEnt);
    return path;
}

Result<Path> next_leaf(std::span<const Node> nodes, Numbers after) {
    Path path;
    if (!leaf_after(nodes, after, path))
        return fail(Errno::NoEnt);
    return path;
}

Result<> put_name(std::span<const Node> nodes, Numbers numbers, Value& out) {
    std::span<const Node> among = nodes;
    for (std::size_t i = 0; i < numbers.size(); i++) {
        if (i)
            SKEP_TRY(out.put('.'));
        const Node* node = child(among, numbers[i]);
        if (node) {
            SKEP_TRY(out.put_bytes(node->name.data(), node->name.size()));
            among = children_of(*node);
        } else {
            char digits[12];
            const auto end = std::to_chars(digits, digits + sizeof digits, numbers[i]).ptr;
            SKEP_TRY(out.put_bytes(digits, static_cast<std::size_t>(end - digits)));
            among = {};
        }
    }
    return out.put('\0');
}

namespace {

// The questions about the tree itself.
enum : std::int32_t {
    kName = 1,
    kNext = 2,
    kNameToNumbers = 3,
    kFormat = 4,
    kDescription = 5,
    kNextNoSkip = 7
};

// Of the kind that oidfmt tells: sys/sysctl.h, CTLFLAG_*.
constexpr std::uint32_t kReadable = 0x8000'0000, kWritable = 0x4000'0000;

Result<> put_numbers(const Path& path, Value& out) {
    return out.put_bytes(path.numbers, path.size * sizeof path.numbers[0]);
}

Result<> ask_tree(std::int32_t question, Numbers about, Value& out,
                  std::span<const std::byte> text) {
    switch (question) {
        case kName:
            return put_name(root, about, out);
        case kNext:
        case kNextNoSkip:
            return put_numbers(SKEP_TRY(next_leaf(root, about)), out);
        case kNameToNumbers: {
            std::string_view name(reinterpret_cast<const char*>(text.data()), text.size());
            return put_numbers(SKEP_TRY(find_name(root, name.substr(0, name.find('\0')))), out);
        }
        case kFormat: {
            const Node& node = *SKEP_TRY(find(root, about)).node;
            SKEP_TRY(out.put(static_cast<std::uint32_t>(node.type) | kReadable |
                             (node.write || node.ask ? kWritable : 0)));
            return out.put_text(node.format);
        }
        case kDescription:
            SKEP_TRY(find(root, about));
            return out.put_text("");
        default:
            return fail(Errno::NoEnt);
    }
}

}  // namespace

Result<> read_or_write(Numbers numbers, Value& old, bool write, std::span<const std::byte> fresh) {
    if (numbers.size() < 2 || numbers.size() > kMaxDepth)
        return fail(Errno::Inval);
    if (numbers[0] == 0)
        return ask_tree(numbers[1], numbers.subspan(2), old, fresh);
    const Found found = SKEP_TRY(find(root, numbers));
    const Node& node = *found.node;
    if (node.type == Type::Node && !node.read)
        return fail(Errno::IsDir);
    if (node.ask)
        return node.ask(fresh, old);
    if (write && !node.write)
        return fail(Errno::Perm);
    if (node.read)
        SKEP_TRY(node.read(found.rest, old));
    if (write)
        return node.write(fresh);
    return {};
}

}  // namespace skep::kernel::sysctl
