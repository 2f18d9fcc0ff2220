// A Vmm without a hypervisor: memory and fields are kept, and vCPUs replay exits that a test wrote
// down.
#pragma once

#include <guestdev/vmm/vmm.hpp>

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

namespace skep::guestdev {

class FakeVmm final : public Vmm {
  public:
    using Exit = std::function<void(abi::VcpuPage&)>;

    // vCPU 0 leaves with these, one after the other; then it runs until it is kicked.
    void script(Exit exit) {
        std::lock_guard lock(mutex_);
        exits_.push_back(std::move(exit));
        changed_.notify_all();
    }
    // An OUT of `value` to `port`.
    void script_out(std::uint16_t port, std::uint8_t value) {
        script([=](abi::VcpuPage& page) {
            page.reason = abi::ExitReason::Io;
            page.io = {
                .port = port, .size = 1, .is_in = 0, .is_string = 0, .is_rep = 0, .reserved = {}};
            page.instruction_length = 1;
            page.general.rax = value;
        });
    }
    bool script_done() {
        std::lock_guard lock(mutex_);
        return exits_.empty();
    }

    Result<HostCapabilities> host() override {
        HostCapabilities capabilities{};
        capabilities.host.max_vcpus = 8;
        capabilities.host.xcr0_supported = 7;
        capabilities.tsc_frequency = tsc_frequency;
        return capabilities;
    }
    Result<std::vector<abi::CpuidEntry>> supported_cpuid() override { return supported; }
    Status set_cpuid(std::span<const abi::CpuidEntry> entries) override {
        cpuid.assign(entries.begin(), entries.end());
        return {};
    }
    Result<std::span<std::byte>> add_memory(std::uint64_t, std::uint64_t size) override {
        memory_.push_back(std::make_unique<std::byte[]>(size));
        sizes_.push_back(size);
        return memory(memory_.size() - 1);
    }
    std::span<std::byte> memory(std::size_t region) {
        return std::span(memory_[region].get(), sizes_[region]);
    }
    Status send_msi(const Msi& msi) override {
        std::lock_guard lock(mutex_);
        messages.push_back(msi);
        return {};
    }
    Result<abi::VcpuPage*> create_vcpu(unsigned index) override {
        pages_[index] = std::make_unique<abi::VcpuPage>();
        return pages_[index].get();
    }
    Result<RunEnd> run(unsigned index) override {
        std::unique_lock lock(mutex_);
        auto ready = [&] { return kicked_[index] || (index == 0 && !exits_.empty()); };
        changed_.wait(lock, ready);
        if (kicked_[index]) {
            kicked_[index] = false;
            return RunEnd::Kicked;
        }
        abi::VcpuPage& page = *pages_[index];
        apply(index, page);
        page.instruction_bytes = 0;
        exits_.front()(page);
        exits_.pop_front();
        return RunEnd::Exit;
    }
    void kick(unsigned index) override {
        std::lock_guard lock(mutex_);
        kicked_[index] = true;
        changed_.notify_all();
    }
    Status get_fields(unsigned index, std::span<abi::FieldValue> values) override {
        for (abi::FieldValue& value : values)
            value.value = fields[index][value.id];
        return {};
    }
    Status set_fields(unsigned index, std::span<const abi::FieldValue> values) override {
        for (const abi::FieldValue& value : values)
            fields[index][value.id] = value.value;
        return {};
    }
    Result<std::vector<std::byte>> get_xsave(unsigned) override { return xsave; }
    Status set_xsave(unsigned, std::span<const std::byte> area) override {
        xsave.assign(area.begin(), area.end());
        return {};
    }
    Status get_apic(unsigned, std::span<std::byte, 4096> page) override {
        std::ranges::copy(apic, page.begin());
        return {};
    }
    Status set_apic(unsigned, std::span<const std::byte, 4096> page) override {
        std::ranges::copy(page, apic.begin());
        return {};
    }
    Status inject(unsigned, abi::InjectKind kind, std::uint32_t vector,
                  std::uint32_t code) override {
        std::lock_guard lock(mutex_);
        injected.push_back({kind, vector, code});
        return {};
    }

    struct Injected {
        abi::InjectKind kind;
        std::uint32_t vector, code;
    };
    std::vector<abi::CpuidEntry> supported, cpuid;
    std::uint64_t tsc_frequency = 2'000'000'000;
    std::map<unsigned, std::map<abi::Field, std::uint64_t>> fields;
    std::vector<std::byte> xsave = std::vector<std::byte>(832);
    std::array<std::byte, 4096> apic{};
    std::vector<Msi> messages;
    std::vector<Injected> injected;

  private:
    // What hv does with write_back on the next run.
    void apply(unsigned index, abi::VcpuPage& page) {
        if (page.write_back & abi::kWriteBackRip)
            fields[index][abi::Field::Rip] = page.rip;
        page.write_back = 0;
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Exit> exits_;
    std::map<unsigned, bool> kicked_;
    std::map<unsigned, std::unique_ptr<abi::VcpuPage>> pages_;
    std::vector<std::unique_ptr<std::byte[]>> memory_;
    std::vector<std::uint64_t> sizes_;
};

}  // namespace skep::guestdev
