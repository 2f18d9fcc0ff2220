#include <guestdev/boot/linux_boot.hpp>

#include <guestdev/boot/memory_map.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace skep::guestdev {
namespace {

// Offsets in the setup header (boot.rst, "The Real-Mode Kernel Header"), which are the same in the
// image and in the zero page.
enum Header : unsigned {
    kSetupSectors = 0x1f1,
    kBootFlag = 0x1fe,
    kJump = 0x200,
    kMagic = 0x202,
    kVersion = 0x206,
    kLoaderType = 0x210,
    kLoadFlags = 0x211,
    kRamdiskAddress = 0x218,
    kRamdiskSize = 0x21c,
    kCommandLine = 0x228,
    kRamdiskAddressMax = 0x22c,
    kRelocatable = 0x234,
    kXLoadFlags = 0x236,
    kCommandLineSize = 0x238,
    kPreferredAddress = 0x258,
    kInitSize = 0x260,
    kHeaderEndLatest = 0x290,
};
// Offsets in the zero page (zero-page.rst).
enum ZeroPage : unsigned {
    kAcpiRsdp = 0x070,
    kE820Count = 0x1e8,
    kE820Table = 0x2d0
};

constexpr std::uint16_t kBootFlagValue = 0xaa55;
constexpr std::uint32_t kMagicValue = 0x5372'6448;  // "HdrS"
constexpr std::uint16_t kVersionNeeded = 0x020c;    // xloadflags
constexpr std::uint16_t kHas64BitEntry = 1;
constexpr std::uint64_t kEntryOffset64 = 0x200;
constexpr std::uint8_t kLoaderUndefined = 0xff;
constexpr std::uint64_t kPage = 4096;

struct E820Entry {
    std::uint64_t address, size;
    std::uint32_t type;
} __attribute__((packed));
static_assert(sizeof(E820Entry) == 20);
enum E820Type : std::uint32_t {
    kRam = 1,
    kReserved = 2
};

// Segments that the protocol asks for: __BOOT_CS and __BOOT_DS.
constexpr std::uint16_t kCodeSelector = 0x10, kDataSelector = 0x18, kTaskSelector = 0x20;
constexpr std::uint64_t kCodeDescriptor = 0x00af'9b00'0000'ffff,
                        kDataDescriptor = 0x00cf'9300'0000'ffff;
constexpr std::uint32_t kCodeAccess = 0xa09b, kDataAccess = 0xc093, kTaskAccess = 0x008b,
                        kUnusable = 0x1'0000;

constexpr std::uint64_t kCr0 = 0x8000'0031;  // PG, NE, ET, PE
constexpr std::uint64_t kCr4 = 0x20;         // PAE
constexpr std::uint64_t kEfer = 0x500;       // LMA, LME

template <typename T>
T get(std::span<const std::byte> bytes, unsigned offset) {
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
}
template <typename T>
void put(std::span<std::byte> bytes, unsigned offset, T value) {
    std::memcpy(bytes.data() + offset, &value, sizeof value);
}

std::unexpected<Error> bad_kernel(const std::string& what) {
    return fail(Code::InvalidArgument, "kernel image: " + what);
}

std::string mib(std::uint64_t bytes) {
    return std::to_string((bytes + kMiB - 1) / kMiB) + " MiB";
}

struct Kernel {
    std::uint64_t file_offset, size;  // of the protected-mode part
    std::uint64_t address;
    std::uint64_t end;  // it uses memory up to here while it starts
    std::uint64_t command_line_limit;
    std::uint64_t ramdisk_limit;
};

// Checks the header that was read into `zero_page` and says where the kernel goes.
Result<Kernel> judge(std::span<std::byte> zero_page, std::uint64_t image_size) {
    if (get<std::uint16_t>(zero_page, kBootFlag) != kBootFlagValue ||
        get<std::uint32_t>(zero_page, kMagic) != kMagicValue)
        return bad_kernel("not a Linux bzImage (no boot header)");
    auto version = get<std::uint16_t>(zero_page, kVersion);
    if (version < kVersionNeeded)
        return bad_kernel("boot protocol " + std::to_string(version >> 8) + "." +
                          std::to_string(version & 0xff) + ", needed is 2.12");
    if (!(get<std::uint16_t>(zero_page, kXLoadFlags) & kHas64BitEntry))
        return bad_kernel("it has no 64-bit entry point");
    unsigned setup_sectors = get<std::uint8_t>(zero_page, kSetupSectors);
    if (setup_sectors == 0)
        setup_sectors = 4;
    Kernel kernel{};
    kernel.file_offset = (setup_sectors + 1) * 512u;
    if (kernel.file_offset + kEntryOffset64 >= image_size)
        return bad_kernel("it ends before its code begins");
    kernel.size = image_size - kernel.file_offset;
    kernel.address = get<std::uint64_t>(zero_page, kPreferredAddress);
    std::uint64_t init_size = get<std::uint32_t>(zero_page, kInitSize);
    if (kernel.address < kMiB || kernel.address > kLowRamLimit || init_size > kLowRamLimit)
        return bad_kernel("its preferred address or size is out of range");
    kernel.end = kernel.address + std::max(init_size, kernel.size);
    kernel.command_line_limit = get<std::uint32_t>(zero_page, kCommandLineSize);
    kernel.ramdisk_limit = get<std::uint32_t>(zero_page, kRamdiskAddressMax);
    return kernel;
}

void fill_e820(std::span<std::byte> zero_page, std::uint64_t memory_bytes) {
    std::vector<E820Entry> entries = {
        {0, kEbdaAddress, kRam},
        {kEbdaAddress, 0xa'0000 - kEbdaAddress, kReserved},
        {kAcpiAddress, kAcpiLimit, kReserved},
    };
    for (RamRange range : ram_ranges(memory_bytes)) {
        std::uint64_t base = std::max(range.gpa, kMiB);
        entries.push_back({base, range.gpa + range.size - base, kRam});
    }
    put<std::uint8_t>(zero_page, kE820Count, static_cast<std::uint8_t>(entries.size()));
    for (unsigned i = 0; i < entries.size(); i++)
        put(zero_page, kE820Table + i * static_cast<unsigned>(sizeof(E820Entry)), entries[i]);
}

// One to one, the first 4 GiB, in 2 MiB pages.
void fill_page_tables(std::span<std::byte> tables) {
    constexpr std::uint64_t kTable = 3, kLargePage = 0x83;  // present, writable; page size
    put(tables, 0, (kPageTablesAddress + kPage) | kTable);
    for (unsigned gib = 0; gib < 4; gib++)
        put(tables, kPage + gib * 8, (kPageTablesAddress + (2 + gib) * kPage) | kTable);
    for (unsigned i = 0; i < 4 * 512; i++)
        put(tables, 2 * kPage + i * 8, i * 2 * kMiB | kLargePage);
}
constexpr std::uint64_t kPageTablesSize = 6 * kPage;
static_assert(kPageTablesAddress + kPageTablesSize <= kCommandLineAddress);

std::vector<abi::FieldValue> initial_fields(std::uint64_t entry) {
    using enum abi::Field;
    std::vector<abi::FieldValue> fields;
    auto set = [&](abi::Field field, std::uint64_t value) { fields.push_back({field, 0, value}); };
    auto segment = [&](abi::Field selector, std::uint16_t value, std::uint64_t limit,
                       std::uint32_t access) {
        auto first = static_cast<std::uint32_t>(selector);
        set(selector, value);
        set(static_cast<abi::Field>(first + 1), 0);
        set(static_cast<abi::Field>(first + 2), limit);
        set(static_cast<abi::Field>(first + 3), access);
    };
    set(Rip, entry);
    set(Rsi, kZeroPageAddress);
    set(Rflags, 2);
    set(Cr0, kCr0);
    set(Cr3, kPageTablesAddress);
    set(Cr4, kCr4);
    set(Efer, kEfer);
    segment(CsSelector, kCodeSelector, 0xffff'ffff, kCodeAccess);
    for (abi::Field data : {DsSelector, EsSelector, SsSelector, FsSelector, GsSelector})
        segment(data, kDataSelector, 0xffff'ffff, kDataAccess);
    segment(LdtrSelector, 0, 0, kUnusable | 0x82);
    segment(TrSelector, kTaskSelector, 0x67, kTaskAccess);
    set(GdtrBase, kGdtAddress);
    set(GdtrLimit, 6 * 8 - 1);
    return fields;
}

}  // namespace

Result<std::uint64_t> FdImage::size() const {
    struct stat status {};
    if (fstat(fd_, &status) != 0)
        return fail_errno(Code::InvalidArgument, name_, errno);
    return static_cast<std::uint64_t>(status.st_size);
}

Status FdImage::read(std::uint64_t offset, std::span<std::byte> target) const {
    while (!target.empty()) {
        ssize_t got = pread(fd_, target.data(), target.size(), static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_errno(Code::Unavailable, "reading " + name_, errno);
        if (got == 0)
            return fail(Code::InvalidArgument, name_ + " is too short");
        offset += static_cast<std::uint64_t>(got);
        target = target.subspan(static_cast<std::size_t>(got));
    }
    return {};
}

Result<std::vector<abi::FieldValue>> load_linux(const LinuxBoot& boot, const GuestMemory& memory) {
    std::uint64_t low_ram = ram_ranges(boot.memory_bytes).front().size;
    auto low = memory.at(0, low_ram);
    if (!low || low_ram < 2 * kMiB)
        return fail(Code::Internal, "the guest's low memory is not there");

    std::uint64_t image_size = SKEP_TRY(boot.kernel.size());
    if (image_size < kHeaderEndLatest)
        return bad_kernel("not a Linux bzImage (too short)");
    auto zero_page = low->subspan(kZeroPageAddress, kPage);
    SKEP_TRY(boot.kernel.read(kSetupSectors,
                              zero_page.subspan(kSetupSectors, kHeaderEndLatest - kSetupSectors)));
    Kernel kernel = SKEP_TRY(judge(zero_page, image_size));
    // Only the header belongs into the zero page; its length is in the jump over it.
    unsigned header_end = kMagic + get<std::uint8_t>(zero_page, kJump + 1);
    if (header_end < kHeaderEndLatest)
        std::ranges::fill(zero_page.subspan(header_end, kHeaderEndLatest - header_end),
                          std::byte{0});

    if (kernel.end > low_ram)
        return bad_kernel("it needs " + mib(kernel.end) + " of memory to start, the guest has " +
                          mib(boot.memory_bytes));
    if (boot.command_line.size() > std::min(kernel.command_line_limit, kCommandLineLimit - 1))
        return fail(Code::InvalidArgument,
                    "command line: " + std::to_string(boot.command_line.size()) +
                        " bytes, the kernel takes " + std::to_string(kernel.command_line_limit));
    SKEP_TRY(boot.kernel.read(kernel.file_offset, low->subspan(kernel.address, kernel.size)));

    if (boot.initrd) {
        std::uint64_t size = SKEP_TRY(boot.initrd->size());
        std::uint64_t top = std::min(low_ram, kernel.ramdisk_limit + 1);
        if (size > top || ((top - size) & ~(kPage - 1)) < kernel.end)
            return fail(Code::InvalidArgument, "initrd: " + mib(size) +
                                                   " do not fit above the kernel's " +
                                                   mib(kernel.end) + " in " + mib(top));
        std::uint64_t address = (top - size) & ~(kPage - 1);
        SKEP_TRY(boot.initrd->read(0, low->subspan(address, size)));
        put(zero_page, kRamdiskAddress, static_cast<std::uint32_t>(address));
        put(zero_page, kRamdiskSize, static_cast<std::uint32_t>(size));
    }

    std::memcpy(low->data() + kCommandLineAddress, boot.command_line.c_str(),
                boot.command_line.size() + 1);
    put(zero_page, kCommandLine, static_cast<std::uint32_t>(kCommandLineAddress));
    put(zero_page, kLoaderType, kLoaderUndefined);
    put(zero_page, kAcpiRsdp, boot.rsdp_address);
    fill_e820(zero_page, boot.memory_bytes);
    fill_page_tables(low->subspan(kPageTablesAddress, kPageTablesSize));
    put(low->subspan(kGdtAddress), kCodeSelector, kCodeDescriptor);
    put(low->subspan(kGdtAddress), kDataSelector, kDataDescriptor);
    return initial_fields(kernel.address + kEntryOffset64);
}

}  // namespace skep::guestdev
