#include <kernel/net/interface.hpp>

#include <kernel/base/list.hpp>
#include <kernel/base/log.hpp>
#include <kernel/net/nic.hpp>
#include <kernel/net/stack.hpp>

#include <lwip/dhcp.h>
#include <lwip/etharp.h>
#include <lwip/ethip6.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>

#include <cstring>
#include <new>

namespace skep::kernel {

namespace {

constexpr unsigned kBatch = 64;
constexpr std::uint16_t kMtu = 1500;
constexpr const char* kHostName = "skep";

class Interface final : public ListNode<>, private FrameSink {
  public:
    Interface(Nic& nic, unsigned number) : nic_(nic), number_(number) {}

    bool start() {
        if (!netif_add_noaddr(&netif_, this, initialize, netif_input))
            return false;
        netif_set_hostname(&netif_, kHostName);
        netif_set_status_callback(&netif_, on_status);
        if (!netif_default)
            netif_set_default(&netif_);
        netif_set_up(&netif_);
        netif_create_ip6_linklocal_address(&netif_, 1);
        netif_set_ip6_autoconfig_enabled(&netif_, 1);
        return dhcp_start(&netif_) == ERR_OK;
    }

    bool poll() { return nic_.receive(*this, kBatch) == kBatch; }
    void flush() { nic_.flush(); }

  private:
    static Interface& of(netif* interface) { return *static_cast<Interface*>(interface->state); }

    static err_t initialize(netif* interface) {
        const MacAddress mac = of(interface).nic_.mac();
        std::memcpy(interface->hwaddr, mac.data(), mac.size());
        interface->hwaddr_len = mac.size();
        interface->name[0] = 'e';
        interface->name[1] = 'n';
        interface->mtu = kMtu;
        interface->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET |
                           NETIF_FLAG_LINK_UP | NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
        interface->output = etharp_output;
        interface->output_ip6 = ethip6_output;
        interface->linkoutput = transmit;
        return ERR_OK;
    }

    static err_t transmit(netif* interface, pbuf* packet) {
        Nic& nic = of(interface).nic_;
        std::span<std::byte> slot = nic.transmit_slot();
        if (slot.empty()) {
            nic.flush();
            slot = nic.transmit_slot();
            if (slot.empty())
                return ERR_MEM;  // TCP tries again, others lose the packet
        }
        if (packet->tot_len > slot.size())
            return ERR_BUF;
        nic.submit(pbuf_copy_partial(packet, slot.data(), packet->tot_len, 0));
        return ERR_OK;
    }

    static void on_status(netif* interface) {
        Interface& self = of(interface);
        const ip4_addr_t address = *netif_ip4_addr(interface);
        if (ip4_addr_isany_val(address) || ip4_addr_cmp(&address, &self.announced_))
            return;
        self.announced_ = address;
        char text[3][IP4ADDR_STRLEN_MAX];
        ip4addr_ntoa_r(&address, text[0], sizeof text[0]);
        ip4addr_ntoa_r(netif_ip4_netmask(interface), text[1], sizeof text[1]);
        ip4addr_ntoa_r(netif_ip4_gw(interface), text[2], sizeof text[2]);
        log("net: en{} ({}): address {} netmask {} gateway {} by DHCP", self.number_,
            self.nic_.name(), text[0], text[1], text[2]);
    }

    void on_frame(std::span<const std::byte> frame) override {
        pbuf* packet = pbuf_alloc(PBUF_RAW, static_cast<u16_t>(frame.size()), PBUF_RAM);
        if (!packet)
            return;
        std::memcpy(packet->payload, frame.data(), frame.size());
        if (netif_.input(packet, &netif_) != ERR_OK)
            pbuf_free(packet);
    }

    Nic& nic_;
    unsigned number_;
    netif netif_{};
    ip4_addr_t announced_{};
};

List<Interface> interfaces;
unsigned interface_count = 0;

}  // namespace

bool poll_interfaces() {
    bool more = false;
    for (Interface& interface : interfaces)
        more |= interface.poll();
    return more;
}

void flush_interfaces() {
    for (Interface& interface : interfaces)
        interface.flush();
}

void add_nic(Nic& nic) {
    const MacAddress mac = nic.mac();
    log("net: {}: {:x}:{:x}:{:x}:{:x}:{:x}:{:x}", nic.name(), mac[0], mac[1], mac[2], mac[3],
        mac[4], mac[5]);
    const StackGuard guard;
    auto* interface = new (std::nothrow) Interface(nic, interface_count);
    if (!interface || !interface->start()) {
        log("net: {}: not usable, no memory", nic.name());
        return;  // lwIP may know the interface: it stays
    }
    interfaces.push_back(*interface);
    ++interface_count;
    Nic::wake();
}

}  // namespace skep::kernel
