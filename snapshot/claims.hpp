// The restoring side's ledger of device state. Every device claims its record; what nobody claimed,
// or what is not there to be claimed, ends the restore with an error that names it.
#pragma once

#include <skep/snapshot/v1/snapshot.pb.h>

#include <snapshot/error.hpp>

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace skep::snapshot {

class Claims {
  public:
    // `devices` (Snapshot::devices) must outlive the ledger.
    explicit Claims(std::span<const v1::DeviceState> devices);

    // The record of that device. Missing if there is none, Duplicate if it was claimed already,
    // Newer if its version is above `newest_known`.
    Result<const v1::DeviceState*> claim(std::string_view kind, std::string_view instance,
                                         std::uint32_t newest_known);

    // The same, with the state as a `Message`; Malformed if it is another message.
    template <typename Message>
    Result<Message> claim_as(std::string_view kind, std::string_view instance,
                             std::uint32_t newest_known) {
        Message message;
        SKEP_TRY(claim_into(kind, instance, newest_known, message));
        return message;
    }

    // LeftOver, naming every record that nobody claimed.
    Status finish() const;

  private:
    Status claim_into(std::string_view kind, std::string_view instance, std::uint32_t newest_known,
                      google::protobuf::Message& message);

    struct Entry {
        const v1::DeviceState* state;
        bool claimed;
    };
    std::vector<Entry> entries_;
};

}  // namespace skep::snapshot
