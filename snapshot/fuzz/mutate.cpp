// Drives the reader's fuzz target without an engine. Records are mutated before they get their
// checksums, so that what is behind the checksums is reached; sometimes the bytes of the file as
// well.
#include <snapshot/testing/forge.hpp>
#include <snapshot/testing/sample_guest.hpp>

#include <google/protobuf/stubs/logging.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>

extern std::uint64_t skep_fuzz_accepted;
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using skep::snapshot::testing::ForgedRecord;

class Mutator {
  public:
    explicit Mutator(std::uint64_t seed) : random_(seed) {}

    std::size_t below(std::size_t limit) { return limit == 0 ? 0 : random_() % limit; }
    bool one_in(std::size_t n) { return below(n) == 0; }

    void mutate(std::string& bytes) {
        const std::size_t place = below(bytes.size());
        switch (below(6)) {
            case 0:
                if (!bytes.empty())
                    bytes[place] = static_cast<char>(bytes[place] ^ 1 << below(8));
                break;
            case 1:
                if (!bytes.empty())
                    bytes[place] = kInteresting[below(std::size(kInteresting))];
                break;
            case 2:
                bytes.insert(place, 1 + below(16), kInteresting[below(std::size(kInteresting))]);
                break;
            case 3:
                bytes.erase(place, 1 + below(16));
                break;
            case 4:
                bytes.resize(place);
                break;
            default:  // a part of itself, elsewhere
                bytes.insert(place, bytes.substr(below(bytes.size()), below(64)));
        }
    }

    void mutate(std::vector<ForgedRecord>& records) {
        const std::size_t place = below(records.size());
        ForgedRecord& record = records[place];
        switch (below(10)) {
            case 0:
                records.push_back(record);
                return;
            case 1:
                std::swap(record, records[below(records.size())]);
                return;
            case 2:
                if (records.size() > 1)
                    records.erase(records.begin() + static_cast<std::ptrdiff_t>(place));
                return;
            case 3:
                record.kind = records[below(records.size())].kind;
                return;
            case 4:
                record.flags = static_cast<std::uint16_t>(below(4));
                return;
            case 5:
                record.version = static_cast<std::uint16_t>(below(3));
                return;
            default:
                // Fields are at the start; pages, of which there are more, come behind them.
                for (std::size_t count = 1 + below(3); count > 0; --count) {
                    std::string head = record.payload.substr(0, 128);
                    mutate(one_in(4) ? record.payload : head);
                    if (head.size() != record.payload.size())
                        record.payload.replace(0, std::min<std::size_t>(128, record.payload.size()),
                                               head);
                }
        }
    }

  private:
    static constexpr char kInteresting[] = {0, 1, 2, 8, 16, '\x7f', '\x80', '\xff'};
    std::mt19937_64 random_;
};

}  // namespace

int main(int argc, char** argv) {
    using namespace skep::snapshot;
    const int seconds = argc > 1 ? std::atoi(argv[1]) : 10;
    const std::uint64_t seed =
        argc > 2 ? std::strtoull(argv[2], nullptr, 0) : std::random_device{}();
    const char* const last_input = argc > 3 ? argv[3] : nullptr;
    std::cout << "seed " << seed << std::endl;
    google::protobuf::SetLogHandler(nullptr);  // it reports each refused message

    const auto good =
        testing::take_apart(testing::write(testing::sample_guest(), {.batch_pages = 64}));
    Mutator mutator(seed);
    std::uint64_t runs = 0;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    while (std::chrono::steady_clock::now() < end) {
        std::vector<ForgedRecord> records = good;
        for (std::size_t count = 1 + mutator.below(4); count > 0; --count)
            mutator.mutate(records);
        const auto bytes = testing::put_together(records);
        std::string input(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        if (mutator.one_in(8))
            mutator.mutate(input);
        if (last_input != nullptr)  // what a crash is reproduced with
            std::ofstream(last_input, std::ios::binary) << input;
        LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
        ++runs;
    }
    std::cout << runs << " inputs, none crashed the reader; " << skep_fuzz_accepted
              << " were accepted and loaded" << std::endl;
}
