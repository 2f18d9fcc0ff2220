#include <kernel/dev/pci/drivers.hpp>

#include <kernel/dev/e1000/e1000.hpp>
#include <kernel/dev/virtio/net.hpp>

#include <array>

namespace skep::kernel::pci {

std::span<const Driver* const> drivers() {
    static constexpr std::array<const Driver*, 2> kDrivers = {&virtio::kNetDriver, &e1000::kDriver};
    return kDrivers;
}

}  // namespace skep::kernel::pci
