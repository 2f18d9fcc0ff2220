// A clock that tests move.
#pragma once

#include <guestdev/core/time.hpp>

namespace skep::guestdev {

class FakeTime final : public TimeSource {
  public:
    GuestTime now() const override { return value; }
    GuestTime value = 0;
};

}  // namespace skep::guestdev
