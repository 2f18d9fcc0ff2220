// What the board knows of each device: its name in a saved guest, how to save and restore it.
#pragma once

#include <guestdev/core/error.hpp>

#include <google/protobuf/message.h>
#include <snapshot/claims.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace skep::guestdev {

struct DeviceId {
    std::string kind;       // of the state message, in proto/skep/snapshot/v1/devices.proto
    std::string instance;   // unique among its kind
    std::uint32_t version;  // that save() writes; the newest that restore() reads
};

class Device {
  public:
    virtual ~Device() = default;
    virtual const DeviceId& id() const = 0;
    virtual std::unique_ptr<google::protobuf::Message> save() const = 0;
    // Takes its record. The state is checked: it comes from outside.
    virtual Status restore(snapshot::Claims& claims) = 0;

  protected:
    // The device's record as a `Message`.
    template <typename Message>
    Result<Message> claim(snapshot::Claims& claims) const {
        return SKEP_TRY(claims.claim_as<Message>(id().kind, id().instance, id().version));
    }
    // An error about a value in the device's record.
    std::unexpected<Error> bad_state(const std::string& what) const {
        return fail(Code::DataLoss, "device " + id().kind + " " + id().instance + ": " + what);
    }
};

}  // namespace skep::guestdev
