// A guest made through /dev/vmm, for tests.
#pragma once

#include <kernel/include/uapi/skep/vmm.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace skep::vmm_test {

using namespace skep::uapi;
using skep::abi::ExitReason;
using skep::abi::Field;
using skep::abi::FieldValue;

inline constexpr std::uint64_t kRam = 2 << 20;
inline constexpr std::uint64_t kEntry = 0x1000;

// Ends the program with a message if `condition` is false.
void require(bool condition, const char* text, const char* file, int line);
#define REQUIRE(condition) ::skep::vmm_test::require(condition, #condition, __FILE__, __LINE__)

// The errno of a call that must fail, 0 if it does not.
int error_of(int result);

class Guest {
  public:
    explicit Guest(const char* name, std::uint64_t ram = kRam);
    ~Guest();  // destroys it
    Guest(const Guest&) = delete;
    Guest& operator=(const Guest&) = delete;

    int device() const { return device_; }
    std::uint8_t* ram() { return ram_; }
    skep::abi::VcpuPage& page(unsigned vcpu = 0) { return *pages_[vcpu]; }

    void create_vcpu(unsigned index);
    // Real mode at kEntry with this code, DS and its base as given.
    void load(std::span<const std::uint8_t> code, std::uint64_t data_base = 0, unsigned vcpu = 0);
    void put(std::uint64_t gpa, std::span<const std::uint8_t> bytes);
    void set_handler(unsigned vector, std::uint64_t gpa);  // in the real-mode interrupt table
    std::uint64_t get(Field field, unsigned vcpu = 0);
    void set(Field field, std::uint64_t value, unsigned vcpu = 0);

    int run(unsigned vcpu = 0);  // as the ioctl
    int kick(unsigned vcpu = 0);
    int msi(std::uint32_t data, std::uint32_t destination = 0);
    // The exited instruction is done; `rax` its result.
    void complete(unsigned vcpu = 0);
    void close_device();

    static int control();
    static int create(const char* name);
    static int destroy(const char* name);

  private:
    std::string name_;
    int device_ = -1;
    std::uint64_t size_;
    std::uint8_t* ram_ = nullptr;
    skep::abi::VcpuPage* pages_[2] = {};
};

}  // namespace skep::vmm_test
