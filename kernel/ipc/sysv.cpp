#include <kernel/ipc/sysv.hpp>

namespace skep::kernel::sysv {

Result<> Permissions::check(const Caller& caller, std::uint32_t wanted) const {
    if (caller.superuser())
        return {};
    const bool owner = caller.user == user || caller.user == creator_user;
    const bool member = caller.in_group(group) || caller.in_group(creator_group);
    const std::uint32_t allowed = owner ? mode >> 6 : member ? mode >> 3 : mode;
    return (allowed & wanted) == wanted ? Result<>() : fail(Errno::Acces);
}

Result<> Permissions::check_owner(const Caller& caller) const {
    const bool may = caller.superuser() || caller.user == user || caller.user == creator_user;
    return may ? Result<>() : fail(Errno::Perm);
}

void Permissions::give(std::uint32_t to_user, std::uint32_t to_group, std::uint32_t to_mode) {
    user = to_user;
    group = to_group;
    mode = to_mode & 0777;
}

Result<Ref<Object>> Table::look_up(const GetHow& how, const Caller& caller,
                                   std::int32_t& id) const {
    if (how.key == kPrivateKey)
        return Ref<Object>();
    for (std::size_t slot = 0; slot < kSlots; slot++) {
        if (!slots_[slot] || slots_[slot]->permissions.key != how.key)
            continue;
        if (how.create && how.exclusive)
            return fail(Errno::Exist);
        // The caller names the rights that it wants in the owner's place.
        SKEP_TRY(slots_[slot]->permissions.check(caller, how.mode >> 6 & 6));
        id = id_of(slot);
        return slots_[slot];
    }
    if (!how.create)
        return fail(Errno::NoEnt);
    return Ref<Object>();
}

Result<std::int32_t> Table::add(Ref<Object> object, const GetHow& how, const Caller& caller) {
    constexpr std::uint32_t kSequences = 0x7fff;
    for (std::size_t slot = 0; slot < kSlots; slot++) {
        if (slots_[slot])
            continue;
        sequences_[slot] = (sequences_[slot] + 1) & kSequences;
        object->permissions = {.creator_user = caller.user,
                               .creator_group = caller.group,
                               .user = caller.user,
                               .group = caller.group,
                               .mode = static_cast<std::uint16_t>(how.mode & 0777),
                               .sequence = static_cast<std::uint16_t>(sequences_[slot]),
                               .key = how.key};
        slots_[slot] = std::move(object);
        return id_of(slot);
    }
    return fail(Errno::NoSpc);
}

Result<Ref<Object>> Table::find(std::int32_t id) const {
    const auto slot = static_cast<std::size_t>(id & 0xffff);
    if (id < 0 || slot >= kSlots || !slots_[slot] || id_of(slot) != id)
        return fail(Errno::Inval);
    return slots_[slot];
}

void Table::remove(std::int32_t id) {
    slots_[static_cast<std::size_t>(id & 0xffff)].reset();
}

Result<Ref<Object>> Table::at(std::int32_t slot, std::int32_t& id) const {
    if (slot < 0 || static_cast<std::size_t>(slot) >= kSlots ||
        !slots_[static_cast<std::size_t>(slot)])
        return fail(Errno::Inval);
    id = id_of(static_cast<std::size_t>(slot));
    return slots_[static_cast<std::size_t>(slot)];
}

}  // namespace skep::kernel::sysv
