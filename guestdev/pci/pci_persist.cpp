#include <guestdev/pci/pci_host.hpp>
#include <guestdev/pci/pci_persist.hpp>

#include <skep/snapshot/v1/devices.pb.h>

namespace skep::guestdev {

void save_function(const PciConfig& config, snapshot::v1::PciFunction& message) {
    message.set_config(config.bytes().data(), config.bytes().size());
}

std::optional<std::string> restore_function(const snapshot::v1::PciFunction& message,
                                            PciConfig& config) {
    const std::string& bytes = message.config();
    return config.restore({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}

std::unique_ptr<google::protobuf::Message> PciHost::save() const {
    auto message = std::make_unique<snapshot::v1::PciHost>();
    message->set_config_address(address_);
    return message;
}

Status PciHost::restore(snapshot::Claims& claims) {
    auto message = SKEP_TRY(claim<snapshot::v1::PciHost>(claims));
    if (message.config_address() & ~0x80ff'fffcu)
        return bad_state("config_address has reserved bits");
    address_ = message.config_address();
    return {};
}

std::unique_ptr<google::protobuf::Message> PciBridge::save() const {
    auto message = std::make_unique<snapshot::v1::PciBridge>();
    save_function(config_, *message->mutable_function());
    return message;
}

Status PciBridge::restore(snapshot::Claims& claims) {
    auto message = SKEP_TRY(claim<snapshot::v1::PciBridge>(claims));
    if (auto reason = restore_function(message.function(), config_))
        return bad_state(*reason);
    return {};
}

}  // namespace skep::guestdev
