// System V's objects as the calling process of host tests (root, 100) uses them.
#include <kernel/ipc/sysv_memory.hpp>
#include <kernel/ipc/sysv_queues.hpp>
#include <kernel/ipc/sysv_semaphores.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace skep::kernel::sysv {
namespace {

constexpr GetHow kFresh{.key = kPrivateKey, .create = true, .exclusive = false, .mode = 0600};

Owned<QueuedMessage> message(std::int64_t type, std::string_view text) {
    Owned<QueuedMessage> m = *make_owned<QueuedMessage>();
    m->type = type;
    EXPECT_TRUE(m->bytes.resize(text.size()));
    if (!text.empty())
        std::memcpy(m->bytes.data(), text.data(), text.size());
    return m;
}
std::string text(const Result<Owned<QueuedMessage>>& m) {
    if (!m)
        return "error";
    const auto bytes = (*m)->bytes.span();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(SysV, KeysFindWhatWasMade) {
    const GetHow create{.key = 77, .create = true, .exclusive = true, .mode = 0600};
    const GetHow look{.key = 77, .create = false, .exclusive = false, .mode = 0};
    EXPECT_EQ(get_queue(look), std::unexpected(Errno::NoEnt));
    const std::int32_t id = *get_queue(create);
    EXPECT_EQ(get_queue(look), id);
    EXPECT_EQ(get_queue(create), std::unexpected(Errno::Exist));
    EXPECT_NE(*get_queue(kFresh), *get_queue(kFresh));
    ASSERT_TRUE(remove_queue(id));
    EXPECT_EQ(get_queue(look), std::unexpected(Errno::NoEnt));
    EXPECT_EQ(queue_state(id).error(), Errno::Inval);  // the slot may be used again, the id not
    EXPECT_NE(*get_queue(create), id);
}

TEST(SysV, MessagesComeByType) {
    const std::int32_t id = *get_queue(kFresh);
    ASSERT_TRUE(send(id, message(3, "three"), true));
    ASSERT_TRUE(send(id, message(1, "one"), true));
    ASSERT_TRUE(send(id, message(2, "two"), true));
    EXPECT_EQ(queue_state(id)->count, 3);
    EXPECT_EQ(queue_state(id)->bytes, 11);
    EXPECT_EQ(receive(id, 0, 2, false, true).error(), Errno::TooBig);
    EXPECT_EQ(text(receive(id, -2, 99, false, true)), "one");  // the lowest up to 2
    EXPECT_EQ(text(receive(id, 2, 99, false, true)), "two");
    EXPECT_EQ(receive(id, 9, 99, false, true).error(), Errno::NoMsg);
    EXPECT_EQ(text(receive(id, 0, 2, true, true)), "th");
    EXPECT_EQ(send(id, message(0, ""), true), std::unexpected(Errno::Inval));
    ASSERT_TRUE(change_queue(id, {0, 0, 0600, 4}));
    ASSERT_TRUE(send(id, message(1, "abc"), true));
    EXPECT_EQ(send(id, message(1, "abc"), true), std::unexpected(Errno::Again));
    EXPECT_EQ(send(id, message(1, "abcde"), true), std::unexpected(Errno::Inval));
    EXPECT_TRUE(remove_queue(id));
}

TEST(SysV, SemaphoresChangeTogetherOrNotAtAll) {
    const std::int32_t id = *get_set(kFresh, 2);
    ASSERT_TRUE(write_value(id, 0, 2));
    const SemaphoreStep both[] = {{0, -1, true, false}, {1, -1, true, false}};
    EXPECT_EQ(operate(id, both), std::unexpected(Errno::Again));
    EXPECT_EQ(semaphore(id, 0)->value, 2);
    ASSERT_TRUE(write_value(id, 1, 1));
    EXPECT_TRUE(operate(id, both));
    EXPECT_EQ(semaphore(id, 0)->value, 1);
    EXPECT_EQ(semaphore(id, 1)->value, 0);
    EXPECT_EQ(semaphore(id, 1)->process, 100);
    const SemaphoreStep zero[] = {{0, 0, true, false}}, over[] = {{0, 32767, true, false}},
                        outside[] = {{2, 1, true, false}};
    EXPECT_EQ(operate(id, zero), std::unexpected(Errno::Again));
    EXPECT_EQ(operate(id, over), std::unexpected(Errno::Range));
    EXPECT_EQ(operate(id, outside), std::unexpected(Errno::FBig));
    EXPECT_EQ(write_value(id, 0, -1), std::unexpected(Errno::Range));
    EXPECT_TRUE(remove_set(id));
    EXPECT_EQ(operate(id, both), std::unexpected(Errno::Inval));
}

TEST(SysV, AProcessEndUndoesItsSteps) {
    const std::int32_t id = *get_set(kFresh, 1);
    ASSERT_TRUE(write_value(id, 0, 5));
    const SemaphoreStep take[] = {{0, -2, true, true}}, give[] = {{0, 1, true, true}};
    ASSERT_TRUE(operate(id, take));
    ASSERT_TRUE(operate(id, give));
    undo_semaphores(99);
    EXPECT_EQ(semaphore(id, 0)->value, 4);
    undo_semaphores(100);
    EXPECT_EQ(semaphore(id, 0)->value, 5);
    undo_semaphores(100);
    EXPECT_EQ(semaphore(id, 0)->value, 5);
    EXPECT_TRUE(remove_set(id));
}

TEST(SysV, SegmentsLiveWhileShown) {
    EXPECT_EQ(get_segment(kFresh, 0), std::unexpected(Errno::Inval));
    const std::int32_t id = *get_segment(kFresh, 5000);
    EXPECT_EQ(segment_state(id)->attached, 0);
    std::uint64_t size = 0;
    {
        const Shown shown = *attach_segment(id, true);
        EXPECT_EQ(segment_state(id)->attached, 1);
        EXPECT_EQ(segment_state(id)->last, 100);
        const auto page = shown.object->page(1, true);
        ASSERT_TRUE(page);
        release_frame(page->frame);
        EXPECT_EQ(shown.object->page(2, true).error(), Errno::Fault);
        EXPECT_TRUE(remove_segment(id));
        EXPECT_EQ(attach_segment(id, true).error(), Errno::Inval);
        EXPECT_TRUE(detach_segment(shown.object.get(), size));
        EXPECT_EQ(size, 5000);
        EXPECT_FALSE(detach_segment(nullptr, size));
    }
}

TEST(SysV, PermissionsAreOfOwnerGroupAndOthers) {
    const Permissions p{.creator_user = 1, .creator_group = 2, .user = 1, .group = 2, .mode = 0640};
    const Caller owner{1, 9, {}}, member{7, 2, {}}, other{7, 9, {}}, root{0, 0, {}};
    EXPECT_TRUE(p.check(owner, kAccessRead | kAccessWrite));
    EXPECT_TRUE(p.check(member, kAccessRead));
    EXPECT_EQ(p.check(member, kAccessWrite), std::unexpected(Errno::Acces));
    EXPECT_EQ(p.check(other, kAccessRead), std::unexpected(Errno::Acces));
    EXPECT_TRUE(p.check(root, kAccessWrite));
    EXPECT_EQ(p.check_owner(other), std::unexpected(Errno::Perm));
}

}  // namespace
}  // namespace skep::kernel::sysv
