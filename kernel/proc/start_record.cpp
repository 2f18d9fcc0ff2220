#include <kernel/proc/start_record.hpp>

#include <kernel/proc/exec.hpp>
#include <kernel/proc/process.hpp>

#include <algorithm>
#include <cstring>

namespace skep::kernel {

namespace {

Result<> append_string(VmMap& map, UserAddr from, Vector<char>& text) {
    constexpr std::uint64_t kChunk = 128;
    for (;;) {
        char chunk[kChunk];
        const std::size_t size = kChunk - from % kChunk;  // within a page
        SKEP_TRY(map.read(from, chunk, size));
        for (std::size_t i = 0; i < size; i++) {
            if (text.size() == kMostEnvironment)
                return {};
            SKEP_TRY(text.push_back(chunk[i]));
            if (!chunk[i])
                return {};
        }
        from += size;
    }
}

Result<ProgramStrings> strings_of(VmMap& map) {
    ProgramStrings strings;
    SKEP_TRY(map.read(kProgramStrings, &strings, sizeof strings));
    return strings;
}

}  // namespace

bool may_inspect(Process& process) {
    const Credentials& me = current_process().credentials;
    const SpinGuard guard(process.lock);
    const Credentials& its = process.credentials;
    return me.effective_user == 0 ||
           (me.effective_user == its.real_user && me.effective_user == its.effective_user &&
            me.effective_user == its.saved_user && process.dumpable);
}

Result<Vector<char>> read_environment(VmMap& map) {
    const ProgramStrings strings = SKEP_TRY(strings_of(map));
    Vector<char> text;
    for (std::uint32_t i = 0; i < strings.environment_count && text.size() < kMostEnvironment;
         i++) {
        UserAddr string;
        SKEP_TRY(map.read(strings.environment + i * sizeof string, &string, sizeof string));
        if (!string)
            break;
        SKEP_TRY(append_string(map, string, text));
    }
    return text;
}

// It follows the pointers to the environment, and the null that ends those.
Result<Vector<std::uint64_t>> read_auxiliary_vector(VmMap& map) {
    constexpr std::size_t kMost = 64;
    const ProgramStrings strings = SKEP_TRY(strings_of(map));
    UserAddr at =
        strings.environment + (std::uint64_t{strings.environment_count} + 1) * sizeof(UserAddr);
    Vector<std::uint64_t> words;
    std::uint64_t pair[2];
    do {
        SKEP_TRY(map.read(at, pair, sizeof pair));
        SKEP_TRY(words.push_back(pair[0]));
        SKEP_TRY(words.push_back(pair[1]));
        at += sizeof pair;
    } while (pair[0] && words.size() < 2 * kMost);
    return words;
}

}  // namespace skep::kernel
