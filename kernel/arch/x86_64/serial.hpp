// COM1, polled, output only: the kernel's log before (and beside) the tty driver.
#pragma once

#include <string_view>

namespace skep::kernel {

inline constexpr unsigned short kCom1 = 0x3f8;

// 115200 8N1, FIFO on.
void serial_init();
// Waits for the transmitter; turns "\n" into "\r\n". The caller serializes.
void serial_write(std::string_view text);

}  // namespace skep::kernel
