// The sysctl tree (sysctl(3)): names and numbers, as data, for what the kernel tells about itself.
#pragma once

#include <kernel/base/vector.hpp>

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

namespace skep::kernel::sysctl {

// sys/sysctl.h, CTLTYPE_*.
enum class Type : std::uint8_t {
    Node = 1,
    Int = 2,
    String = 3,
    Signed64 = 4,
    Opaque = 5,
    UnsignedInt = 6,
    Long = 7,
    UnsignedLong = 8,
    Unsigned64 = 9
};

// What a reader fills and a writer takes.
class Value {
  public:
    Result<> put_bytes(const void* from, std::size_t size) {
        const std::size_t at = bytes_.size();
        SKEP_TRY(bytes_.resize(at + size));
        if (size)
            std::memcpy(bytes_.data() + at, from, size);
        return {};
    }
    template <typename T>
    requires std::is_trivially_copyable_v<T> Result<> put(const T& value) {
        return put_bytes(&value, sizeof value);
    }
    Result<> put_text(std::string_view text) {  // with its NUL
        SKEP_TRY(put_bytes(text.data(), text.size()));
        return put('\0');
    }
    std::span<const std::byte> bytes() const { return bytes_.span(); }
    Vector<std::byte>& storage() { return bytes_; }
    // How many bytes the caller has room for; none if it only asks for the size.
    std::optional<std::size_t> room;
    // Told to who only asks for the size: the value may be longer by that when it is read.
    std::size_t slack = 0;

  private:
    Vector<std::byte> bytes_;
};

struct Node {
    std::int32_t number;
    std::string_view name;
    Type type = Type::Node;
    // sysctl(8)'s: "I", "IU", "L", "LU", "Q", "QU", "A", "N", or "S,struct".
    std::string_view format = "N";
    const std::span<const Node>* children = nullptr;
    // `rest`: the numbers after the node's own (kern.proc.pathname.-1).
    Result<> (*read)(std::span<const std::int32_t> rest, Value& out) = nullptr;
    // Null: read-only (Perm).
    Result<> (*write)(std::span<const std::byte> value) = nullptr;
    // Takes numbers after its own.
    bool open_ended = false;
    // In place of write: the new value is a question, which anyone may ask.
    Result<> (*ask)(std::span<const std::byte> question, Value& out) = nullptr;
};

inline constexpr std::size_t kMaxDepth = 24;  // CTL_MAXNAME
using Numbers = std::span<const std::int32_t>;

struct Path {
    std::int32_t numbers[kMaxDepth];
    std::size_t size = 0;
    Numbers span() const { return {numbers, size}; }
};

// The node that the numbers lead to, and what is left of them. NoEnt; NotDir: numbers after a leaf.
struct Found {
    const Node* node;
    Numbers rest;
};
Result<Found> find(std::span<const Node> root, Numbers numbers);
// "kern.ostype" and the like. NoEnt.
Result<Path> find_name(std::span<const Node> root, std::string_view name);
// The next leaf in order of numbers. NoEnt: the last was reached.
Result<Path> next_leaf(std::span<const Node> root, Numbers after);
// The dotted name of the numbers, as far as they have names; numbers beyond are shown as such.
Result<> put_name(std::span<const Node> root, Numbers numbers, Value& out);

// The whole tree: kernel/sysctl/tree.cpp.
extern const std::span<const Node> root;

// sysctl(2) without its user memory. `numbers` may be one of the tree's own questions ({0, 1..6}).
// `fresh` empty with `write` false: only reads. Errors as sysctl(3).
Result<> read_or_write(Numbers numbers, Value& old, bool write, std::span<const std::byte> fresh);

}  // namespace skep::kernel::sysctl
