// The stack's Ethernet interfaces: one per NIC, with DHCP and IPv6 autoconfiguration. All with the
// stack's lock held.
#pragma once

namespace skep::kernel {

// Takes what the NICs received, a batch from each. -> whether there may be more.
bool poll_interfaces();
void flush_interfaces();

}  // namespace skep::kernel
