// The boot CPU's way from the loader to the root domain.
#include "hv/boot/acpi.hpp"
#include "hv/boot/ap_start.hpp"
#include "hv/boot/elf.hpp"
#include "hv/boot/multiboot.hpp"
#include "hv/cpu/cpu.hpp"
#include "hv/cpu/features.hpp"
#include "hv/cpu/physical_apic.hpp"
#include "hv/lib/panic.hpp"
#include "hv/lib/screen.hpp"
#include "hv/memory/frame_pool.hpp"
#include "hv/memory/host_tables.hpp"
#include "hv/memory/layout.hpp"
#include "hv/memory/ownership.hpp"
#include "hv/root/root_domain.hpp"

#include <cstring>

namespace skep::hv {

namespace {

constinit FramePool frame_pool;
constinit Ownership frame_ownership;
Backend* machine_backend;

constexpr u32 kMaxInformation = 32768;

std::span<const u8> copy_information(u32 address) {
    static u8 copy[kMaxInformation];
    u32 size;
    std::memcpy(&size, direct(Hpa{address}), sizeof size);
    if (size > sizeof copy)
        panic("the boot information has {} bytes; at most {} are read", size, sizeof copy);
    std::memcpy(copy, direct(Hpa{address}), size);
    return {copy, size};
}

void read_memory_map(const multiboot::BootInformation& information) {
    frame_ownership.set_hv(kHvBase, kHvSize);
    information.for_each_range([](const multiboot::MemoryRange& range) {
        if (range.type == multiboot::MemoryRange::kAvailable &&
            !frame_ownership.add_ram(range.base, range.end()))
            log("memory at {} is left out: too many ranges", Hex{range.base});
    });
}

void choose_backend() {
    const char* no_svm = svm::missing();
    const char* no_vmx = vmx::missing();
    if (no_svm == nullptr)
        machine_backend = &svm::instance();
    else if (no_vmx == nullptr)
        machine_backend = &vmx::instance();
    else
        panic("this CPU cannot run guests: {}; {}", no_vmx, no_svm);
}

u32 load_kernel(const multiboot::BootInformation& information) {
    const auto module = information.module("kernel");
    if (!module || module->end < module->start)
        panic("the loader brought no module named 'kernel'");
    const auto entry = load_elf({direct(Hpa{module->start}), module->end - module->start},
                                {kKernelSlotBase.value, kKernelSlotSize, direct(kKernelSlotBase)});
    if (!entry)
        panic("the module 'kernel' is no x86-64 ELF linked between 16 and 32 MiB");
    return *entry;
}

}  // namespace

FramePool& pool() {
    return frame_pool;
}
Ownership& ownership() {
    return frame_ownership;
}
Backend& backend() {
    return *machine_backend;
}

extern "C" [[noreturn]] void hv_main(u32 magic, u32 information_address) {
    init_serial();
    if (magic != multiboot::kLoaderMagic)
        panic("not started by a Multiboot2 loader (EAX = {})", Hex{magic});
    const multiboot::BootInformation information(copy_information(information_address));
    if (const auto mode = information.text_mode())
        text_screen().open(direct<volatile u16>(Hpa{mode->address}), mode->columns, mode->rows);
    else if (const auto graphics = information.graphics_mode())
        text_screen().open(direct<volatile u8>(Hpa{graphics->address}), graphics->pixel,
                           graphics->pitch, graphics->width, graphics->height);
    log("Skep hv {}", HV_VERSION);
    read_memory_map(information);
    const Hpa pool_start = kHvBase + kImageSize;
    frame_pool.init(pool_start, direct(pool_start), (kHvSize - kImageSize) / kPageSize);
    host_tables_build();

    prepare_cpu(0, physical_apic_id());
    Cpu& cpu = Cpu::current();
    init_cpu(cpu);
    read_cpu_features();
    choose_backend();
    for (unsigned i = 0; const char* name = backend().absent(i); ++i)
        log("{}: without {}", backend().name(), name);
    root_domain_create(cpu);
    start_cpus(find_cpus(information), frame_ownership);
    const u32 entry = load_kernel(information);

    // In place: the loader has kept this memory free of modules. Without hv's own sections it is
    // shorter.
    u32 room;
    std::memcpy(&room, direct(Hpa{information_address}), sizeof room);
    if (!information.write_edited({direct(Hpa{information_address}), room}, kHvBase.value, kHvSize))
        panic("the edited boot information does not fit {} bytes", room);

    log("{}: {} CPUs, {} KiB of {} KiB in use", backend().name(), cpu_count(),
        kHvSize / 1024 - pool().available() * 4, kHvSize / 1024);
    text_screen().show(false);
    root_domain_start(cpu, {entry, multiboot::kLoaderMagic, information_address});
}

}  // namespace skep::hv
