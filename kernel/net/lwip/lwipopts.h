/* How lwIP is configured for the kernel. docs/decisions/0005-lwip-under-one-lock.md gives the
 * reasons. */
#ifndef SKEP_KERNEL_NET_LWIP_LWIPOPTS_H
#define SKEP_KERNEL_NET_LWIP_LWIPOPTS_H

/* One sleep lock around the whole stack (kernel/net/stack.hpp), raw API only: lwIP itself needs no
   thread, mailbox or semaphore. */
#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define LWIP_TIMERS 1

/* Memory from the kernel's heap: no pool to exhaust below the memory of the machine. */
#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 1
#define MEM_ALIGNMENT 8
/* No NIC of ours wants a padded Ethernet header. */
#define ETH_PAD_SIZE 0

#define LWIP_IPV4 1
#define LWIP_IPV6 1
#define LWIP_ARP 1
#define LWIP_ETHERNET 1
#define LWIP_ICMP 1
#define LWIP_RAW 0
#define LWIP_UDP 1
#define LWIP_TCP 1
#define LWIP_DNS 0
#define LWIP_IGMP 1
#define LWIP_IPV6_MLD 1

#define LWIP_DHCP 1
/* Probing the offered address by ARP costs a second at each boot; servers probe before they offer.
 */
#define DHCP_DOES_ARP_CHECK 0
#define LWIP_IPV6_AUTOCONFIG 1
#define LWIP_NETIF_HOSTNAME 1
#define LWIP_NETIF_STATUS_CALLBACK 1
#define LWIP_NETIF_LINK_CALLBACK 0

#define LWIP_HAVE_LOOPIF 1
#define LWIP_NETIF_LOOPBACK 1
#define LWIP_LOOPBACK_MAX_PBUFS 0
#define LWIP_NETIF_LOOPBACK_MULTITHREADING 0

#define IP_FORWARD 0
#define IP_REASS_MAX_PBUFS 256
#define LWIP_IPV6_FRAG 1
#define LWIP_IPV6_REASS 1
#define IPV6_FRAG_COPYHEADER 1 /* its bookkeeping is larger than a header with 64-bit pointers */
#define ARP_TABLE_SIZE 64
#define ARP_QUEUEING 1
#define LWIP_ND6_NUM_NEIGHBORS 64
#define LWIP_ND6_NUM_DESTINATIONS 64

/* Bulk transfer: 256 KiB windows (window scale 3), MSS of Ethernet. */
#define TCP_MSS 1460
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 3
#define TCP_WND (256 * 1024)
#define TCP_SND_BUF (256 * 1024)
#define TCP_SND_QUEUELEN 1024
#define TCP_SNDLOWAT (32 * 1024)
#define TCP_SNDQUEUELOWAT 512
#define TCP_QUEUE_OOSEQ 1
#define LWIP_TCP_SACK_OUT 1
#define LWIP_TCP_KEEPALIVE 1
#define TCP_LISTEN_BACKLOG 1
#define TCP_DEFAULT_LISTEN_BACKLOG 128
#define TCP_MSL 15000UL
#define TCP_MAXRTX 10
#define TCP_SYNMAXRTX 6

#define SO_REUSE 1
#define SO_REUSE_RXTOALL 1
#define IP_SOF_BROADCAST 1
#define IP_SOF_BROADCAST_RECV 0
#define LWIP_NETBUF_RECVINFO 0
#define LWIP_MULTICAST_TX_OPTIONS 1

#define LWIP_CHECKSUM_ON_COPY 0
#define LWIP_STATS 0
#define LWIP_PERF 0
#define LWIP_TCPIP_TIMEOUT 0

/* SipHash of the connection and a boot secret plus a clock (RFC 6528): kernel/net/lwip/port.cpp. */
#ifdef __cplusplus
extern "C"
#endif
    unsigned int
    skep_net_initial_sequence(const void* local_ip, unsigned short local_port,
                              const void* remote_ip, unsigned short remote_port);
#define LWIP_HOOK_TCP_ISN skep_net_initial_sequence

#endif
