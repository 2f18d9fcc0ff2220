#include <kernel/abi/signals.hpp>

#include <kernel/proc/process.hpp>
#include <kernel/proc/signal.hpp>

namespace skep::kernel::abi {

Result<> change_signal_mask(MaskChange how, const SignalSet& set) {
    const SignalSet old = current_thread().signals.mask;
    switch (how) {
        case MaskChange::Block:
            set_signal_mask(old | set);
            return {};
        case MaskChange::Unblock:
            set_signal_mask(old & ~set);
            return {};
        case MaskChange::Set:
            set_signal_mask(set);
            return {};
    }
    return fail(Errno::Inval);
}

}  // namespace skep::kernel::abi
