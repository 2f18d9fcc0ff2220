// What the machine gives, given by the build host: locks and wait queues over std::mutex, a few MiB
// of "physical" memory, log to stderr, panic as abort (so that death tests and sanitizers see it).
#include <kernel/base/format.hpp>
#include <kernel/mm/frame.hpp>
#include <kernel/mm/heap.hpp>
#include <kernel/mm/physical.hpp>
#include <kernel/mm/user.hpp>
#include <kernel/sched/clock.hpp>
#include <kernel/sched/thread_impl.hpp>
#include <kernel/sync/wait.hpp>
#include <kernel/testing/host.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace skep::kernel {

// --- log ---

namespace {

void print(const char* prefix, std::string_view format, const LogArgument* arguments,
           unsigned count) {
    std::array<char, 512> buffer;
    const std::size_t size = format_arguments(buffer, format, arguments, count);
    std::fprintf(stderr, "%s%.*s\n", prefix, static_cast<int>(size), buffer.data());
}

}  // namespace

void log_line(std::string_view format, const LogArgument* arguments, unsigned count) {
    print("", format, arguments, count);
}
void panic_line(std::string_view format, const LogArgument* arguments, unsigned count) {
    print("PANIC: ", format, arguments, count);
    std::abort();
}

// --- locks ---

namespace {

// A thread's number stands for the CPU that holds a spin lock.
std::uint32_t my_number() {
    static std::atomic<std::uint32_t> next{1};
    thread_local const std::uint32_t number = next++;
    return number;
}

}  // namespace

thread_local HeldSpinLocks held_spin_locks;

bool SpinLock::lock() {
    held_spin_locks.check(name_);
    std::uint32_t expected = 0;
    while (!owner_.compare_exchange_weak(expected, my_number(), std::memory_order_acquire)) {
        if (expected == my_number())
            panic("spin lock {} taken twice", name_.view());
        expected = 0;
        std::this_thread::yield();
    }
    held_spin_locks.add(name_);
    return true;
}
void SpinLock::unlock(bool) {
    held_spin_locks.remove(name_);
    owner_.store(0, std::memory_order_release);
}
bool SpinLock::held() const {
    return owner_.load() == my_number();
}

struct WaitQueue::Waiter : ListNode<> {
    std::mutex mutex;
    std::condition_variable condition;
    bool woken = false;
};

Result<> WaitQueue::wait(SpinGuard& guard, Sleep how, Nanoseconds deadline) {
    if (how == Sleep::Interruptible && testing::signal_pending_flag)
        return fail(Errno::Intr);
    Waiter waiter;
    {
        SpinGuard list(lock_);
        waiters_.push_back(waiter);
    }
    guard.unlock();
    {
        std::unique_lock lock(waiter.mutex);
        auto woken = [&] { return waiter.woken; };
        if (deadline == kForever)
            waiter.condition.wait(lock, woken);
        else if (const Nanoseconds now = monotonic_now(); now < deadline)
            waiter.condition.wait_for(lock, std::chrono::nanoseconds(deadline - now), woken);
    }
    guard.relock();
    SpinGuard list(lock_);
    if (waiter.linked())
        List<Waiter>::remove(waiter);
    const std::unique_lock lock(waiter.mutex);
    if (!waiter.woken)
        return fail(Errno::TimedOut);
    return {};
}

void WaitQueue::wake_one() {
    SpinGuard list(lock_);
    if (Waiter* waiter = waiters_.pop_front()) {
        const std::unique_lock lock(waiter->mutex);
        waiter->woken = true;
        waiter->condition.notify_all();
    }
}
void WaitQueue::wake_all() {
    SpinGuard list(lock_);
    while (Waiter* waiter = waiters_.pop_front()) {
        const std::unique_lock lock(waiter->mutex);
        waiter->woken = true;
        waiter->condition.notify_all();
    }
}

Thread& current_thread() {
    thread_local Thread self;
    return self;
}
void check_no_spin_lock_held(std::string_view what) {
    if (!held_spin_locks.empty())
        panic("{} with spin lock {} held", what, held_spin_locks.last().view());
}
void begin_sleep(Sleep) {
    current_thread().state = ThreadState::Sleeping;
}
void sleep_now() {
    while (current_thread().state == ThreadState::Sleeping)
        std::this_thread::yield();
    current_thread().state = ThreadState::Running;
}
bool wake(Thread& thread) {
    ThreadState sleeping = ThreadState::Sleeping;
    return thread.state.compare_exchange_strong(sleeping, ThreadState::Runnable);
}
void requeue(Thread&) {}
std::uint32_t current_cpu() {
    return 0;
}
bool signal_pending() {
    return testing::signal_pending_flag;
}
Result<Thread*> start_kernel_thread(const char*, void (*entry)(void*), void* argument) {
    std::thread(entry, argument).detach();
    return nullptr;
}
void yield() {
    std::this_thread::yield();
}
void sleep_until(std::uint64_t deadline) {
    while (monotonic_now() < deadline)
        std::this_thread::sleep_for(std::chrono::nanoseconds(deadline - monotonic_now()));
}

// --- time ---

namespace testing {
bool signal_pending_flag = false;
Nanoseconds clock_offset = 0;

namespace {
// Timers fire from advance_clock() and run_timers() only: tests decide when.
std::mutex timers_mutex;
std::vector<Timer*> armed;
std::vector<Nanoseconds> deadlines;
}  // namespace

void run_timers() {
    for (;;) {
        Timer* due = nullptr;
        {
            const std::unique_lock lock(timers_mutex);
            for (std::size_t i = 0; i < armed.size(); i++)
                if (deadlines[i] <= monotonic_now()) {
                    due = armed[i];
                    armed.erase(armed.begin() + static_cast<std::ptrdiff_t>(i));
                    deadlines.erase(deadlines.begin() + static_cast<std::ptrdiff_t>(i));
                    break;
                }
        }
        if (!due)
            return;
        TimerAccess::fire(*due);  // clears armed_ first
    }
}
void advance_clock(Nanoseconds by) {
    clock_offset += by;
    run_timers();
}
}  // namespace testing

Nanoseconds monotonic_now() {
    return static_cast<Nanoseconds>(std::chrono::steady_clock::now().time_since_epoch().count()) +
           testing::clock_offset;
}
std::int64_t realtime_now() {
    return std::chrono::system_clock::now().time_since_epoch().count() +
           static_cast<std::int64_t>(testing::clock_offset);
}

void Timer::arm(Nanoseconds deadline) {
    cancel();
    const std::unique_lock lock(testing::timers_mutex);
    armed_ = true;
    testing::armed.push_back(this);
    testing::deadlines.push_back(deadline);
}
void Timer::cancel() {
    const std::unique_lock lock(testing::timers_mutex);
    const auto it = std::ranges::find(testing::armed, this);
    armed_ = false;
    if (it == testing::armed.end())
        return;
    testing::deadlines.erase(testing::deadlines.begin() + (it - testing::armed.begin()));
    testing::armed.erase(it);
}

// --- memory ---

namespace testing {
std::size_t frame_limit = kHostFrames;
std::size_t frames_in_use = 0;
}  // namespace testing

namespace {

struct alignas(kLargePageSize) Page {
    std::byte bytes[kLargePageSize];
};
constexpr std::size_t kArenaBytes = testing::kHostFrames * kPageSize;
const std::unique_ptr<Page[]> arena(new Page[kArenaBytes / sizeof(Page)]);
Frame frame_records[testing::kHostFrames];
std::mutex frames_mutex;
bool frame_used[testing::kHostFrames];
constexpr std::uint64_t kArenaPhysical = 0x1000'0000;

std::size_t frame_number(PhysAddr a) {
    return (a.value - kArenaPhysical) / kPageSize;
}

}  // namespace

void* direct_map(PhysAddr a) {
    return reinterpret_cast<std::byte*>(arena.get()) + (a.value - kArenaPhysical);
}
PhysAddr direct_map_to_physical(const void* p) {
    return {static_cast<std::uint64_t>(static_cast<const std::byte*>(p) -
                                       reinterpret_cast<std::byte*>(arena.get())) +
            kArenaPhysical};
}
Frame* frame_of(PhysAddr a) {
    return a.value < kArenaPhysical || frame_number(a) >= testing::kHostFrames
               ? nullptr
               : &frame_records[frame_number(a)];
}
PhysAddr address_of(const Frame& f) {
    return {kArenaPhysical + static_cast<std::uint64_t>(&f - frame_records) * kPageSize};
}

Result<PhysAddr> allocate_frames(unsigned order) {
    const std::unique_lock lock(frames_mutex);
    const std::size_t count = std::size_t{1} << order;
    if (testing::frames_in_use + count > testing::frame_limit)
        return fail(Errno::NoMem);
    for (std::size_t i = 0; i + count <= testing::kHostFrames; i += count) {
        if (std::any_of(frame_used + i, frame_used + i + count, [](bool used) { return used; }))
            continue;
        std::fill_n(frame_used + i, count, true);
        testing::frames_in_use += count;
        frame_records[i].kind = FrameKind::Allocated;
        frame_records[i].uses = 1;
        frame_records[i].order = static_cast<std::uint8_t>(order);
        const PhysAddr address{kArenaPhysical + i * kPageSize};
        std::memset(direct_map(address), 0xa5, count * kPageSize);
        return address;
    }
    return fail(Errno::NoMem);
}
void free_frames(PhysAddr a, unsigned order) {
    const std::unique_lock lock(frames_mutex);
    const std::size_t first = frame_number(a);
    for (std::size_t i = first; i < first + (std::size_t{1} << order); i++) {
        if (!frame_used[i])
            panic("frame {} freed twice", i);
        frame_used[i] = false;
    }
    testing::frames_in_use -= std::size_t{1} << order;
}
MemoryUse memory_use() {
    return {testing::frame_limit, testing::frame_limit - testing::frames_in_use};
}
Result<PhysAddr> allocate_user_frame() {
    return allocate_frames(0);
}
Result<PhysAddr> allocate_zeroed_frame() {
    const PhysAddr frame = SKEP_TRY(allocate_frames(0));
    std::memset(direct_map(frame), 0, kPageSize);
    return frame;
}
void retain_frame(PhysAddr frame) {
    frame_of(frame)->uses++;
}
void release_frame(PhysAddr frame) {
    if (--frame_of(frame)->uses == 0)
        free_frames(frame, 0);
}

void* kernel_allocate(std::size_t size) {
    return std::aligned_alloc(16, (size + 15) & ~std::size_t{15});
}
void kernel_free(void* memory) {
    std::free(memory);
}

// "User" pointers of host tests are the test's own; the first page faults.
Result<> copy_in(void* to, UserAddr from, std::size_t size) {
    if (size && from < kPageSize)
        return fail(Errno::Fault);
    std::memcpy(to, reinterpret_cast<const void*>(from), size);
    return {};
}
Result<> copy_out(UserAddr to, const void* from, std::size_t size) {
    if (size && to < kPageSize)
        return fail(Errno::Fault);
    std::memcpy(reinterpret_cast<void*>(to), from, size);
    return {};
}
Result<std::size_t> copy_in_string(char* to, UserAddr from, std::size_t capacity) {
    if (from < kPageSize)
        return fail(Errno::Fault);
    const std::size_t length = strnlen(reinterpret_cast<const char*>(from), capacity);
    if (length == capacity)
        return fail(Errno::NameTooLong);
    std::memcpy(to, reinterpret_cast<const void*>(from), length + 1);
    return length;
}

}  // namespace skep::kernel
