#include <kernel/abi/signals.hpp>

namespace skep::kernel::abi {

std::int32_t detail_code(SignalCause cause) {
    switch (cause) {
        case SignalCause::User:
        case SignalCause::Queue:
        case SignalCause::Timer:
        case SignalCause::Thread:
        case SignalCause::Kernel:
            break;
        case SignalCause::ChildExited:
        case SignalCause::NotMapped:
        case SignalCause::Misaligned:
        case SignalCause::IntegerDivide:
        case SignalCause::IllegalOpcode:
        case SignalCause::Breakpoint:
            return 1;
        case SignalCause::ChildKilled:
        case SignalCause::NoAccess:
        case SignalCause::BadAddress:
        case SignalCause::Trace:
            return 2;
        case SignalCause::ChildDumped:
        case SignalCause::FloatDivide:
            return 3;
        case SignalCause::FloatOverflow:
            return 4;
        case SignalCause::ChildStopped:
        case SignalCause::FloatUnderflow:
        case SignalCause::PrivilegedOpcode:
            return 5;
        case SignalCause::ChildContinued:
        case SignalCause::FloatInexact:
            return 6;
        case SignalCause::FloatInvalid:
            return 7;
    }
    return 0;
}

}  // namespace skep::kernel::abi
