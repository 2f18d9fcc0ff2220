#include <guestdev/virtio_blk/virtio_blk_bus.hpp>

#include <skep/snapshot/v1/devices.pb.h>

namespace skep::guestdev {

std::unique_ptr<google::protobuf::Message> VirtioBlkBus::save() const {
    auto message = std::make_unique<snapshot::v1::VirtioBlk>();
    pci_.save(*message->mutable_transport());
    message->set_serial(blk_.serial());
    return message;
}

Status VirtioBlkBus::restore(snapshot::Claims& claims) {
    auto message = SKEP_TRY(claim<snapshot::v1::VirtioBlk>(claims));
    if (message.serial() != blk_.serial())
        return bad_state("serial is not the disk's name");
    if (auto reason = pci_.restore(message.transport()))
        return bad_state(*reason);
    return {};
}

}  // namespace skep::guestdev
