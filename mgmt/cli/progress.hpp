// Tells on standard error how long work gets on: a bar on a terminal, plain lines at every quarter
// elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace skep::mgmt::cli {

class Progress {
  public:
    explicit Progress(std::string label);  // "uploading images/a"
    ~Progress();                           // ends an unfinished line
    Progress(const Progress&) = delete;

    void update(std::uint64_t done_bytes, std::uint64_t total_bytes);
    void stage(const std::string& stage) { stage_ = stage; }
    void finish();

    // The text of a bar, without its line end; for `columns` of a terminal.
    static std::string bar(const std::string& label, std::uint64_t done, std::uint64_t total,
                           double bytes_per_second, unsigned columns);

  private:
    std::string label_, stage_;
    bool terminal_;
    bool drawn_ = false;
    unsigned quarters_told_ = 0;
    std::uint64_t done_ = 0, total_ = 0;
    std::chrono::steady_clock::time_point start_, last_draw_;
};

}  // namespace skep::mgmt::cli
