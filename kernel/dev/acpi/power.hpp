#pragma once

namespace skep::kernel {

[[noreturn]] void power_off();
[[noreturn]] void reboot();
[[noreturn]] void halt_forever();

}  // namespace skep::kernel
