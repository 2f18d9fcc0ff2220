// The page-modification log (SDM vol. 3, 29.3.6): pages whose dirty flag the CPU has set, from the
// last entry down to the first; then it leaves. Entries are taken while the CPU adds to them: what
// is taken makes room for a value that no page has.
#pragma once

#include "hv/memory/address.hpp"

#include <algorithm>
#include <atomic>
#include <optional>

namespace skep::hv::vmx {

class WriteLog {
  public:
    static constexpr u16 kEntries = 512;

    void open(u64* entries) {
        entries_ = entries;
        std::fill_n(entries, kEntries, kEmpty);
    }
    // The CPU begins at the last entry again; all have been taken.
    void restart() { left_ = kEntries; }

    std::optional<Gpa> take() {
        if (left_ == 0)
            return std::nullopt;
        const std::atomic_ref entry(entries_[left_ - 1]);
        const u64 page = entry.load(std::memory_order_acquire);
        if (page == kEmpty)
            return std::nullopt;
        entry.store(kEmpty, std::memory_order_relaxed);
        --left_;
        return Gpa{page};
    }

  private:
    static constexpr u64 kEmpty = 1;

    u64* entries_ = nullptr;
    u16 left_ = 0;
};

}  // namespace skep::hv::vmx
