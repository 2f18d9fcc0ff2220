/* lwIP's view of the compiler and the kernel (read by C and C++). */
#ifndef SKEP_KERNEL_NET_LWIP_ARCH_CC_H
#define SKEP_KERNEL_NET_LWIP_ARCH_CC_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* kernel/net/lwip/port.cpp */
uint32_t skep_net_random(void);
uint16_t skep_net_checksum(const void* data, int size);
void* skep_net_allocate(size_t size);
void* skep_net_allocate_zeroed(size_t count, size_t size);
void skep_net_free(void* memory);
void skep_net_assertion_failed(const char* message, const char* file, int line);

#ifdef __cplusplus
}
#endif

/* No hosted headers. */
#define LWIP_NO_INTTYPES_H 1
#define LWIP_NO_LIMITS_H 1
#define LWIP_NO_UNISTD_H 1
#define LWIP_NO_CTYPE_H 1
#define SSIZE_MAX LONG_MAX
typedef long ssize_t;

#define X8_F "02x"
#define U16_F "u"
#define S16_F "d"
#define X16_F "x"
#define U32_F "u"
#define S32_F "d"
#define X32_F "x"
#define SZT_F "lu"

#define LWIP_PLATFORM_DIAG(x) ((void)0)
#define LWIP_PLATFORM_ASSERT(message) skep_net_assertion_failed(message, __FILE__, __LINE__)
#define LWIP_RAND() skep_net_random()
#define LWIP_CHKSUM skep_net_checksum

#define mem_clib_malloc skep_net_allocate
#define mem_clib_calloc skep_net_allocate_zeroed
#define mem_clib_free skep_net_free

#endif
