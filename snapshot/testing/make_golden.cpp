// Writes PREFIX.skep, the sample guest as this release writes it, and PREFIX.json, what an
// independent reader must find in it. Golden files are made once per format change and never again.
#include <snapshot/atomic_file.hpp>
#include <snapshot/crc32c.hpp>
#include <snapshot/testing/sample_guest.hpp>

#include <fstream>
#include <iostream>
#include <string>

int main(int argc, char** argv) {
    using namespace skep::snapshot;
    if (argc != 2) {
        std::cerr << "usage: make_golden PREFIX\n";
        return 2;
    }
    const std::string prefix = argv[1];
    if (std::ifstream(prefix + ".skep").good()) {
        std::cerr << prefix << ".skep is there already, and golden files never change\n";
        return 1;
    }
    const testing::SampleGuest guest = testing::sample_guest();
    auto file = AtomicFile::create(prefix + ".skep", 0644);
    if (!file) {
        std::cerr << file.error().describe() << '\n';
        return 1;
    }
    FdSink sink(file->fd());
    Status status = testing::write(guest, sink);
    if (status)
        status = file->commit();
    if (!status) {
        std::cerr << status.error().describe() << '\n';
        return 1;
    }
    std::ofstream(prefix + ".json")
        << "{\n  \"ram_crc32c\": [" << crc32c(guest.low_ram) << ", " << crc32c(guest.high_ram)
        << "],\n  \"disk_crc32c\": " << crc32c(guest.disk) << ",\n  \"rip\": ["
        << guest.vcpus[0].general().rip() << ", " << guest.vcpus[1].general().rip()
        << "],\n  \"devices\": [\"sample/one\", "
           "\"sample/two\", \"sample/three\"]\n}\n";
    return 0;
}
