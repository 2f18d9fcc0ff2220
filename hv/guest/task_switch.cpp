// An exit by a task switch: carried out on the guest's memory. The CPU has checked the gate and the
// new task's descriptor before it left (SDM vol. 3, 26.4.2).
//
// All memory that the switch touches is looked up first, so that a page fault or an exit leaves the
// old task as it was. What the new task's own state is refused for is raised in the new task. Not
// done: accessed and dirty bits in memory that cannot be written.
#include "hv/guest/task_switch.hpp"

#include "hv/arch/registers.hpp"
#include "hv/guest/vcpu.hpp"
#include "hv/memory/layout.hpp"

#include <atomic>
#include <cstring>

namespace skep::hv {

using abi::Field;

namespace {

constexpr u8 kInvalidTss = 10, kNotPresent = 11, kStackFault = 12, kPageFault = 14;
constexpr u64 kNestedTask = 1 << 14, kBusy = u64{2} << 40, kUnusable = 1 << 16;
constexpr u32 kBusyTss32 = 0x8b, kBusyTss16 = 0x83;
constexpr unsigned kLdtType = 2;

Field stepped(Field first, unsigned by) {
    return static_cast<Field>(static_cast<u32>(first) + by);
}
Field selector_field(unsigned segment) {
    return stepped(Field::EsSelector, 4 * segment);
}

}  // namespace

u8* Vcpu::physical_byte(Gpa gpa, bool write, bool probe) {
    const auto mapping = vm_.tables.lookup(gpa.value);
    const u32 needed = write ? abi::kRead | abi::kWrite : abi::kRead;
    if (!mapping || (mapping->protection & needed) != needed)
        return nullptr;
    if (write && !probe) {
        auto guard = vm_.tables_lock.lock();
        vm_.tables.dirty_note_write(gpa.value);
    }
    return direct(mapping->address);
}

// Where a linear address is in memory; nullptr: nowhere that may be accessed so. A probe leaves no
// trace of an access.
u8* Vcpu::guest_byte(u64 linear, bool write, bool probe) {
    const HardwareVcpu& hw = *hardware_;
    const PagingMode mode{hw.read(Field::Cr0), hw.read(Field::Cr3), hw.read(Field::Cr4),
                          hw.read(Field::Efer)};
    const auto set_flags = [&](Gpa entry, bool leaf) {
        constexpr u8 kAccessed = 1 << 5, kDirty = 1 << 6;
        const u8 flags = leaf && write ? kAccessed | kDirty : kAccessed;
        const u8* now = vm_.memory(entry);
        if (probe || now == nullptr || (*now & flags) == flags)
            return;
        if (u8* at = physical_byte(entry, true, false))
            std::atomic_ref(*at).fetch_or(flags);
    };
    const auto gpa = walk(
        mode, linear & 0xffff'ffff, [this](Gpa at) { return vm_.memory(at); }, set_flags);
    return gpa ? physical_byte(*gpa, write, probe) : nullptr;
}

// Nothing: the bytes can be accessed. What stands in the way is raised, or left with.
std::optional<Vcpu::Leave> Vcpu::obstacle(u64 linear, u64 size, bool write) {
    constexpr u32 kWriteAccess = 2;
    for (const u64 at : {linear & 0xffff'ffff, (linear + size - 1) & 0xffff'ffff}) {
        if (guest_byte(at, write, true) != nullptr)
            continue;
        const HardwareVcpu& hw = *hardware_;
        const PagingMode mode{hw.read(Field::Cr0), hw.read(Field::Cr3), hw.read(Field::Cr4),
                              hw.read(Field::Efer)};
        const auto gpa = walk(mode, at, [this](Gpa table) { return vm_.memory(table); });
        if (gpa)
            return handle_fault({*gpa, write ? abi::AccessKind::Write : abi::AccessKind::Read});
        hardware_->write(Field::Cr2, at);
        return raise(Event::exception(kPageFault, write ? kWriteAccess : 0));
    }
    return std::nullopt;
}

// After `obstacle`; what its owner has taken away since reads as zero.
void Vcpu::copy_guest(u64 linear, std::span<u8> bytes, bool write) {
    for (u8& byte : bytes) {
        u8* at = guest_byte(linear++, write);
        if (write && at != nullptr)
            *at = byte;
        else if (!write)
            byte = at != nullptr ? *at : 0;
    }
}
template <class T>
T Vcpu::load_guest(u64 linear) {
    T value{};
    copy_guest(linear, {reinterpret_cast<u8*>(&value), sizeof value}, false);
    return value;
}
template <class T>
void Vcpu::store_guest(u64 linear, T value) {
    copy_guest(linear, {reinterpret_cast<u8*>(&value), sizeof value}, true);
}

Task Vcpu::load_task(u64 base, bool wide) {
    Task task;
    const auto take = [&task](const auto& tss, unsigned selectors) {
        for (unsigned i = 0; i < 8; ++i)
            task.general[i] = tss.general[i];
        for (unsigned i = 0; i < selectors; ++i)
            task.selectors[i] = static_cast<u16>(tss.selectors[i]);
        task.ldtr = static_cast<u16>(tss.ldtr);
    };
    if (wide) {
        const auto tss = load_guest<Tss32>(base);
        take(tss, 6);
        task.cr3 = tss.cr3;
        task.eip = tss.eip;
        task.eflags = tss.eflags;
        task.trap = (tss.trap & 1) != 0;
    } else {
        const auto tss = load_guest<Tss16>(base);
        take(tss, 4);
        task.eip = tss.ip;
        task.eflags = tss.flags;
        for (u32& value : task.general)
            value |= 0xffff'0000;
    }
    return task;
}

void Vcpu::store_task(u64 base, bool wide, u32 eip, u32 eflags) {
    const auto put = [&](auto tss, unsigned selectors) {
        using Word = std::remove_reference_t<decltype(tss.link)>;
        for (unsigned i = 0; i < 8; ++i)
            tss.general[i] = static_cast<Word>(general(i));
        for (unsigned i = 0; i < selectors; ++i)
            tss.selectors[i] = static_cast<Word>(hardware_->read(selector_field(i)));
        return tss;
    };
    if (wide) {
        Tss32 tss = put(load_guest<Tss32>(base), 6);
        tss.eip = eip;
        tss.eflags = eflags;
        store_guest(base, tss);
    } else {
        Tss16 tss = put(load_guest<Tss16>(base), 4);
        tss.ip = static_cast<u16>(eip);
        tss.flags = static_cast<u16>(eflags);
        store_guest(base, tss);
    }
}

void Vcpu::set_segment(unsigned segment, u16 selector, Descriptor descriptor, u64 access) {
    const Field first = selector_field(segment);
    hardware_->write(first, selector);
    hardware_->write(stepped(first, 1), descriptor.base());
    hardware_->write(stepped(first, 2), descriptor.limit());
    hardware_->write(stepped(first, 3), access);
}

// The descriptor that a selector of the new task names; nothing: outside of its table.
std::optional<Descriptor> Vcpu::find_descriptor(u16 selector) {
    const bool local = (selector & 4) != 0;
    if (local && (hardware_->read(Field::LdtrAccess) & kUnusable) != 0)
        return std::nullopt;
    const u64 base = hardware_->read(local ? Field::LdtrBase : Field::GdtrBase);
    const u64 limit = hardware_->read(local ? Field::LdtrLimit : Field::GdtrLimit);
    if ((selector | 7u) > limit)
        return std::nullopt;
    return Descriptor{load_guest<u64>(base + (selector & ~7u))};
}

// What the new task's segment registers say (SDM vol. 3, table 8-1). The exception for one that
// cannot be loaded; it stays unusable.
Event Vcpu::load_segment(unsigned segment, u16 selector, unsigned cpl) {
    constexpr unsigned kCs = 1, kSs = 2;
    const u16 code = selector & 0xfffc;
    const Event invalid = Event::exception(kInvalidTss, code);
    if ((selector & 0xfffc) == 0)
        return segment == kCs || segment == kSs ? invalid : Event{};
    const auto found = find_descriptor(selector);
    if (!found)
        return invalid;
    const Descriptor d = *found;
    const unsigned rpl = selector & 3;
    bool fits = d.is_readable() && (d.is_conforming() || (d.dpl() >= cpl && d.dpl() >= rpl));
    if (segment == kCs)
        fits = d.is_code() && (d.is_conforming() ? d.dpl() <= rpl : d.dpl() == rpl);
    else if (segment == kSs)
        fits = d.is_writable() && d.dpl() == cpl && rpl == cpl;
    if (!fits)
        return invalid;
    if (!d.present())
        return Event::exception(segment == kSs ? kStackFault : kNotPresent, code);
    constexpr u8 kAccessed = 1;
    constexpr u64 kAccessByte = 5;
    if ((d.access() & kAccessed) == 0) {
        const u64 table = hardware_->read((selector & 4) != 0 ? Field::LdtrBase : Field::GdtrBase);
        if (u8* access = guest_byte(table + (selector & ~7u) + kAccessByte, true))
            std::atomic_ref(*access).fetch_or(kAccessed);
    }
    set_segment(segment, selector, d, d.access() | kAccessed);
    return {};
}

Event Vcpu::load_segments(const Task& task) {
    constexpr u64 kVirtual8086Access = 0xf3;
    constexpr unsigned kCs = 1, kLdtr = 6;
    const bool virtual_8086 = (task.eflags & rflags::kVm) != 0;
    for (unsigned i = 0; i < 6; ++i) {
        const u16 selector = task.selectors[i];
        if (virtual_8086)
            set_segment(i, selector, {u64{selector} << 20 | 0xffff}, kVirtual8086Access);
        else
            set_segment(i, selector, {}, kUnusable);
    }
    set_segment(kLdtr, task.ldtr, {}, kUnusable);
    if ((task.ldtr & 0xfffc) != 0) {
        const auto ldt = (task.ldtr & 4) == 0 ? find_descriptor(task.ldtr) : std::nullopt;
        if (!ldt || ldt->is_segment() || ldt->type() != kLdtType || !ldt->present())
            return Event::exception(kInvalidTss, task.ldtr & 0xfffc);
        set_segment(kLdtr, task.ldtr, *ldt, ldt->access());
    }
    if (virtual_8086)
        return {};
    // CS and SS first, whose privilege the entry needs in any case.
    const unsigned cpl = task.selectors[kCs] & 3;
    for (const unsigned segment : {1u, 2u, 0u, 3u, 4u, 5u}) {
        if (const Event event = load_segment(segment, task.selectors[segment], cpl); event.valid())
            return event;
    }
    return {};
}

Event Vcpu::enter_task(const Task& task, bool wide) {
    HardwareVcpu& hw = *hardware_;
    constexpr u64 kLocalBreakpoints = 0x155;
    constexpr u8 kDebug = 1;
    if (wide && (hw.read(Field::Cr0) & cr0::kPg) != 0) {
        hw.write(Field::Cr3, task.cr3);
        hw.flush_tlb();
    }
    hw.write(Field::Cr0, hw.read(Field::Cr0) | cr0::kTs);
    hw.set_rip(task.eip);
    hw.write(Field::Rflags, (task.eflags & ~rflags::kMustBeZero) | rflags::kReserved1);
    for (unsigned i = 0; i < 8; ++i)
        set_general(i, task.general[i]);
    hw.write(Field::Dr7, hw.read(Field::Dr7) & ~kLocalBreakpoints);
    Event event = load_segments(task);
    if (!event.valid() && task.trap) {
        constexpr u64 kTaskSwitched = 1 << 15;
        hw.write(Field::Dr6, hw.read(Field::Dr6) | kTaskSwitched);
        event = Event::exception(kDebug);
    }
    return event;
}

void Vcpu::push_error_code(u32 error_code, bool wide) {
    const u64 base = hardware_->read(Field::SsBase);
    const u64 rsp = hardware_->read(Field::Rsp) - (wide ? 4 : 2);
    hardware_->write(Field::Rsp, rsp);
    if (wide)
        store_guest(base + rsp, error_code);
    else
        store_guest(base + rsp, static_cast<u16>(error_code));
}

[[gnu::noinline]] Vcpu::Leave Vcpu::handle_task_switch(const Exit& exit) {
    HardwareVcpu& hw = *hardware_;
    const TaskSwitch& change = exit.task;
    const bool calls =
        change.source == TaskSwitch::Source::Call || change.source == TaskSwitch::Source::Gate;
    const bool returns = change.source == TaskSwitch::Source::Iret;
    const u16 old_selector = static_cast<u16>(hw.read(Field::TrSelector));
    const u64 gdt = hw.read(Field::GdtrBase);
    const u64 old_at = gdt + (old_selector & ~7u), new_at = gdt + (change.selector & ~7u);
    const u64 old_base = hw.read(Field::TrBase);
    const bool old_wide = (hw.read(Field::TrAccess) & 8) != 0;
    for (const u64 at : {old_at, new_at}) {
        if (const auto blocked = obstacle(at, sizeof(u64), true))
            return *blocked;
    }
    const Descriptor target{load_guest<u64>(new_at)};
    const bool wide = (target.type() & 8) != 0;
    const u64 size = wide ? sizeof(Tss32) : sizeof(Tss16);
    if (target.limit() + u64{1} < size)
        return raise(Event::exception(kInvalidTss, change.selector & 0xfffc));
    if (const auto blocked = obstacle(old_base, old_wide ? sizeof(Tss32) : sizeof(Tss16), true))
        return *blocked;
    if (const auto blocked = obstacle(target.base(), size, true))
        return *blocked;

    u64 eflags = hw.rflags();
    if (returns)
        eflags &= ~kNestedTask;
    if (!calls)
        store_guest(old_at, load_guest<u64>(old_at) & ~kBusy);
    store_task(old_base, old_wide, static_cast<u32>(hw.rip() + exit.instruction_length),
               static_cast<u32>(eflags));
    Task task = load_task(target.base(), wide);
    if (calls) {
        store_guest(target.base(), old_selector);
        task.eflags |= kNestedTask;
    }
    if (!returns)
        store_guest(new_at, target.raw | kBusy);
    constexpr unsigned kTr = 7;
    set_segment(kTr, change.selector, target, wide ? kBusyTss32 : kBusyTss16);

    // An event that came through the gate has been delivered by now.
    const Event cause = exit.interrupted;
    pending_event_ = enter_task(task, wide);
    if (cause.valid() && cause.type() == EventType::Nmi) {
        constexpr u64 kNmiBlocked = 8;
        hw.write(Field::Interruptibility, kNmiBlocked);
    }
    if (!pending_event_.valid() && cause.valid() && cause.has_error_code())
        push_error_code(cause.error_code, wide);
    check_events_ = true;
    return {};
}

}  // namespace skep::hv
