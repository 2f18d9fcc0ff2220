// System V's objects (svipc(7)): found by key or by number, owned by users, gone only when removed.
#pragma once

#include <kernel/base/make.hpp>
#include <kernel/base/vector.hpp>
#include <kernel/sync/wait.hpp>
#include <kernel/vfs/caller.hpp>

namespace skep::kernel::sysv {

inline constexpr std::int64_t kPrivateKey = 0;

struct Permissions {
    std::uint32_t creator_user = 0, creator_group = 0, user = 0, group = 0;
    std::uint16_t mode = 0;      // rwx for user, group, others
    std::uint16_t sequence = 0;  // of its slot
    std::int64_t key = kPrivateKey;

    // `wanted`: kAccessRead, kAccessWrite. Acces.
    Result<> check(const Caller&, std::uint32_t wanted) const;
    // Perm: neither owner, creator nor superuser.
    Result<> check_owner(const Caller&) const;
    // IPC_SET.
    void give(std::uint32_t to_user, std::uint32_t to_group, std::uint32_t to_mode);
};

class Object : public RefCounted {
  public:
    Permissions permissions;
    bool removed = false;  // who waits on it ends with IdRm
};

struct GetHow {
    std::int64_t key;
    bool create, exclusive;
    std::uint16_t mode;
};

// Objects of one kind by slot. An id is the slot and how often that was used, so that a stale one
// finds nothing. Under the lock of its kind.
class Table {
  public:
    static constexpr std::size_t kSlots = 256;
    // Null: there is none of that key and one is to be made. NoEnt, Exist, Acces.
    Result<Ref<Object>> look_up(const GetHow&, const Caller&, std::int32_t& id) const;
    // NoSpc: no free slot.
    Result<std::int32_t> add(Ref<Object>, const GetHow&, const Caller&);
    Result<Ref<Object>> find(std::int32_t id) const;  // Inval
    void remove(std::int32_t id);                     // one that find() found
    // By slot (SHM_STAT...). Inval: it is empty.
    Result<Ref<Object>> at(std::int32_t slot, std::int32_t& id) const;

  private:
    std::int32_t id_of(std::size_t slot) const {
        return static_cast<std::int32_t>(sequences_[slot] << 16 | slot);
    }
    Ref<Object> slots_[kSlots];
    std::uint32_t sequences_[kSlots] = {};
};

}  // namespace skep::kernel::sysv
