// System V semaphores: sets whose members change together or not at all (semop(2)).
#pragma once

#include <kernel/ipc/sysv.hpp>

#include <span>

namespace skep::kernel::sysv {

inline constexpr std::size_t kSemaphoresMax = 256;  // of a set
inline constexpr std::int32_t kSemaphoreValueMax = 32767;

struct Semaphore {
    std::uint16_t value = 0, wait_for_more = 0, wait_for_zero = 0;
    std::int32_t process = 0;  // that changed it last
};

struct SemaphoreStep {
    std::uint16_t number;
    std::int16_t change;  // 0: waits until the value is 0
    bool no_wait, undo;   // undo: when the process ends
};

struct SetState {
    Permissions permissions;
    std::uint16_t count;
    std::int64_t used, changed;
};

// As semget, semop, semctl of the calling process. Errors: Inval, Acces, FBig (number), Again
// (no_wait, or `deadline`), Intr, IdRm, Range (value).
Result<std::int32_t> get_set(const GetHow&, std::size_t count);
Result<> operate(std::int32_t id, std::span<const SemaphoreStep> steps,
                 Nanoseconds deadline = kForever);
Result<SetState> set_state(std::int32_t id);
Result<Semaphore> semaphore(std::int32_t id, std::uint32_t number);
Result<> read_values(std::int32_t id, Vector<std::uint16_t>& values);
Result<> write_value(std::int32_t id, std::uint32_t number, std::int32_t value);
Result<> write_values(std::int32_t id, std::span<const std::uint16_t> values);  // of all
Result<> change_set(std::int32_t id, std::uint32_t user, std::uint32_t group, std::uint16_t mode);
Result<> remove_set(std::int32_t id);
// Its undo steps are taken.
void undo_semaphores(std::int32_t process);

}  // namespace skep::kernel::sysv
