#include <guestdev/pci/pci_persist.hpp>
#include <guestdev/virtio/virtio_pci.hpp>

#include <skep/snapshot/v1/devices.pb.h>

namespace skep::guestdev {

void VirtioPci::save(snapshot::v1::VirtioPci& message) const {
    save_function(config_, *message.mutable_function());
    message.set_driver_features(driver_features_);
    message.set_device_feature_select(device_feature_select_);
    message.set_driver_feature_select(driver_feature_select_);
    message.set_status(status_);
    message.set_isr(isr_);
    message.set_config_vector(config_vector_);
    message.set_queue_select(queue_select_);
    message.set_config_generation(config_generation_);
    for (const VirtQueue& queue : queues_) {
        auto* saved = message.add_queues();
        saved->set_size(queue.state.size);
        saved->set_enabled(queue.state.enabled);
        saved->set_descriptors(queue.state.descriptors);
        saved->set_driver_area(queue.state.driver_area);
        saved->set_device_area(queue.state.device_area);
        saved->set_vector(queue.state.vector);
        saved->set_next_available(queue.state.next_available);
        saved->set_next_used(queue.state.next_used);
    }
    for (const MsixEntry& entry : msix_) {
        auto* saved = message.add_msix_table();
        saved->set_address(entry.address);
        saved->set_data(entry.data);
        saved->set_control(entry.control);
    }
    message.set_msix_pending(msix_pending_);
}

std::optional<std::string> VirtioPci::restore(const snapshot::v1::VirtioPci& message) {
    if (message.driver_features() & ~offered_features())
        return "the driver uses features that this device does not offer";
    if (message.status() > 0xff || message.isr() > 3 || message.config_vector() > 0xffff ||
        message.queue_select() > 0xffff || message.config_generation() > 0xff)
        return "a register is out of range";
    if (static_cast<std::size_t>(message.queues_size()) != queues_.size())
        return std::to_string(message.queues_size()) + " queues, this device has " +
               std::to_string(queues_.size());
    if (static_cast<std::size_t>(message.msix_table_size()) != msix_.size())
        return "the MSI-X table has another size";
    if (message.msix_pending() >> msix_.size())
        return "MSI-X vectors beyond the table are pending";
    for (const auto& saved : message.queues()) {
        bool power_of_two = saved.size() != 0 && (saved.size() & (saved.size() - 1)) == 0;
        if (!power_of_two || saved.size() > device_.queue_size())
            return "a queue's size is not possible";
        if (saved.vector() > 0xffff || saved.next_available() > 0xffff ||
            saved.next_used() > 0xffff)
            return "a queue's index is out of range";
    }
    if (auto reason = restore_function(message.function(), config_))
        return reason;
    driver_features_ = message.driver_features();
    device_feature_select_ = message.device_feature_select();
    driver_feature_select_ = message.driver_feature_select();
    status_ = static_cast<std::uint8_t>(message.status());
    isr_ = static_cast<std::uint8_t>(message.isr());
    config_vector_ = static_cast<std::uint16_t>(message.config_vector());
    queue_select_ = static_cast<std::uint16_t>(message.queue_select());
    config_generation_ = static_cast<std::uint8_t>(message.config_generation());
    for (int i = 0; i < message.queues_size(); i++) {
        const auto& saved = message.queues(i);
        queues_[static_cast<std::size_t>(i)].state = {
            .size = static_cast<std::uint16_t>(saved.size()),
            .enabled = saved.enabled(),
            .descriptors = saved.descriptors(),
            .driver_area = saved.driver_area(),
            .device_area = saved.device_area(),
            .vector = static_cast<std::uint16_t>(saved.vector()),
            .next_available = static_cast<std::uint16_t>(saved.next_available()),
            .next_used = static_cast<std::uint16_t>(saved.next_used()),
        };
    }
    for (int i = 0; i < message.msix_table_size(); i++) {
        const auto& saved = message.msix_table(i);
        msix_[static_cast<std::size_t>(i)] = {saved.address(), saved.data(), saved.control() & 1};
    }
    msix_pending_ = message.msix_pending();
    update_mapping();
    update_intx();
    return std::nullopt;
}

}  // namespace skep::guestdev
