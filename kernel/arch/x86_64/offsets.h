// Numbers that assembler and C++ share; static_asserts in trap.hpp and percpu.hpp keep them true.
#pragma once

#define KERNEL_CODE_SELECTOR 0x08
#define KERNEL_DATA_SELECTOR 0x10
#define USER_CODE32_SELECTOR 0x1b
#define USER_DATA_SELECTOR 0x23
#define USER_CODE_SELECTOR 0x2b
#define TSS_SELECTOR 0x30

#define SYSCALL_VECTOR 0x100

#define FRAME_RBP 64
#define FRAME_VECTOR 120
#define FRAME_CS 144
#define FRAME_SIZE 176

#define CPU_SELF 0
#define CPU_THREAD 8
#define CPU_KERNEL_STACK 16
#define CPU_USER_RSP 24
