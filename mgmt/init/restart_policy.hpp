// When to start a daemon again, and when to give up and call for a person.
#pragma once

namespace skep::mgmt {

class RestartPolicy {
  public:
    enum class Action {
        Restart,
        Emergency
    };

    // The daemon ended after running for `seconds`.
    Action ended_after(double seconds) {
        quick_failures_ = seconds < kLongEnough ? quick_failures_ + 1 : 0;
        if (quick_failures_ < kTooMany)
            return Action::Restart;
        quick_failures_ = 0;
        return Action::Emergency;
    }
    // Before the next start: the appliance must not spin if its daemon dies at once.
    unsigned delay_seconds() const { return quick_failures_; }

    static constexpr double kLongEnough = 30;
    static constexpr unsigned kTooMany = 5;

  private:
    unsigned quick_failures_ = 0;
};

}  // namespace skep::mgmt
