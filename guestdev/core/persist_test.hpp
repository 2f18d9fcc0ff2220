// Helpers for the persist tests of devices.
#pragma once

#include <skep/snapshot/v1/devices.pb.h>
#include <guestdev/core/device.hpp>
#include <snapshot/claims.hpp>

#include <string>
#include <vector>

namespace skep::guestdev {

inline snapshot::v1::DeviceState device_record(const DeviceId& id,
                                               const google::protobuf::Message& state) {
    snapshot::v1::DeviceState record;
    record.set_kind(id.kind);
    record.set_instance(id.instance);
    record.set_version(id.version);
    record.mutable_state()->PackFrom(state);
    return record;
}

// Saves `from` and restores it into `to`; both are the same kind and instance.
inline bool persist(const Device& from, Device& to) {
    std::vector records{device_record(from.id(), *from.save())};
    snapshot::Claims claims(records);
    return to.restore(claims).has_value() && claims.finish().has_value();
}

// The message of the error that restoring `state` ends with; empty if it succeeds.
inline std::string restore_error(Device& device, const google::protobuf::Message& state) {
    std::vector records{device_record(device.id(), state)};
    snapshot::Claims claims(records);
    Status status = device.restore(claims);
    return status ? std::string() : status.error().message;
}

}  // namespace skep::guestdev
