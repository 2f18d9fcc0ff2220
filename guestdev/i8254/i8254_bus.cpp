#include <guestdev/i8254/i8254_bus.hpp>

namespace skep::guestdev {

void I8254Bus::advance(GuestTime now) {
    I8254Channel& channel = pit_.channels[0];
    // The wire falls long before it rises again; both are shown at the rise, so that the timer is
    // needed once per period only.
    if (channel.rising_edge(now))
        irq_.pulse();
}

}  // namespace skep::guestdev
