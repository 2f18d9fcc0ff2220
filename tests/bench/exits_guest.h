// What the benchmark's guest and its owner agree on.

#define BENCH_ROUNDS 1000
#define BENCH_PORT 0x10
#define BENCH_PORT_CPUID_DONE 0x11
#define BENCH_PORT_DONE 0x12
