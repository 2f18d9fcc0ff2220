// The auxiliary vector: sys/elf_common.h.
#include "system.hpp"

#include <elf.h>

extern "C" {
extern const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden")));
}

namespace bsd {
namespace {

bool base_is_mine() {
    EXPECT(start.find(7) == word(&__ehdr_start));
    return true;
}

bool headers_are_the_programs() {
    const auto* headers = reinterpret_cast<const Elf64_Phdr*>(start.find(3));
    EXPECT_CALL(start.find(4), sizeof(Elf64_Phdr));
    const std::uint64_t count = start.find(5);
    EXPECT(headers && count > 2 && count < 20);
    bool interpreter = false;
    std::uint64_t bias = 0;
    for (std::uint64_t i = 0; i < count; i++)
        if (headers[i].p_type == PT_PHDR)
            bias = word(headers) - headers[i].p_vaddr;
    for (std::uint64_t i = 0; i < count; i++)
        if (headers[i].p_type == PT_INTERP)
            interpreter = equal(reinterpret_cast<const char*>(bias + headers[i].p_vaddr),
                                "/libexec/ld-elf.so.1");
    EXPECT(interpreter);
    const auto* image = reinterpret_cast<const Elf64_Ehdr*>(bias);
    EXPECT(start.find(9) == bias + image->e_entry);
    return true;
}

bool path_is_absolute() {
    const auto* path = reinterpret_cast<const char*>(start.find(15));
    EXPECT(path && equal(path, "/root/program"));
    return true;
}

bool pages_are_told() {
    EXPECT_CALL(start.find(6), 4096);
    const auto* sizes = reinterpret_cast<const std::uint64_t*>(start.find(20));
    const std::uint64_t size = start.find(21);
    EXPECT(sizes && size >= 8 && size % 8 == 0);
    EXPECT_CALL(sizes[0], 4096);
    return true;
}

bool randomness_is_there() {
    const auto* canary = reinterpret_cast<const std::uint64_t*>(start.find(16));
    EXPECT(canary && start.find(17) >= 8);
    EXPECT(canary[0] != 0);
    return true;
}

bool release_is_14() {
    const std::uint64_t release = start.find(18);
    EXPECT(release >= 1400000 && release < 1500000);
    return true;
}

bool strings_are_found() {
    struct Strings {  // struct ps_strings
        const char** arguments;
        std::uint32_t argument_count;
        const char** environment;
        std::uint32_t environment_count;
    };
    const auto* strings = reinterpret_cast<const Strings*>(start.find(32));
    EXPECT(strings != nullptr);
    EXPECT(strings->argument_count == start.argument_count() &&
           word(strings->arguments) == word(start.words + 1));
    EXPECT(word(strings->environment) == word(start.environment()));
    EXPECT(strings->environment[strings->environment_count] == nullptr);
    return true;
}

bool processors_and_stack_are_told() {
    EXPECT(start.find(19) >= 1);
    EXPECT_CALL(start.find(23), 3);  // PROT_READ | PROT_WRITE
    const std::uint64_t top = start.find(35), size = start.find(36);
    EXPECT(top > word(start.words) && word(start.words) > top - size);
    return true;
}

// Without an enabled timekeep page the C library calls the kernel.
bool timekeep_is_sound() {
    bool there;
    const auto* page = reinterpret_cast<const std::uint32_t*>(start.find(22, &there));
    EXPECT(!there || page[0] == 1);
    return true;
}

}  // namespace

void auxiliary_cases() {
    const Case cases[] = {
        {"base", base_is_mine},
        {"program_headers", headers_are_the_programs},
        {"exec_path", path_is_absolute},
        {"page_sizes", pages_are_told},
        {"canary", randomness_is_there},
        {"release", release_is_14},
        {"ps_strings", strings_are_found},
        {"cpus_and_stack", processors_and_stack_are_told},
        {"timekeep", timekeep_is_sound},
    };
    run_cases(cases, sizeof cases / sizeof cases[0]);
}

}  // namespace bsd
