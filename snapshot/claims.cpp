#include <snapshot/claims.hpp>

#include <snapshot/rules.hpp>

#include <string>

namespace skep::snapshot {
Claims::Claims(std::span<const v1::DeviceState> devices) {
    entries_.reserve(devices.size());
    for (const v1::DeviceState& device : devices)
        entries_.push_back({.state = &device, .claimed = false});
}

Result<const v1::DeviceState*> Claims::claim(std::string_view kind, std::string_view instance,
                                             std::uint32_t newest_known) {
    for (Entry& entry : entries_) {
        if (entry.state->kind() != kind || entry.state->instance() != instance)
            continue;
        if (entry.claimed)
            return fail(ErrorCode::Duplicate, device_name(kind, instance) + " was claimed twice");
        if (entry.state->version() > newest_known)
            return fail(ErrorCode::Newer, device_name(kind, instance) + " has version " +
                                              std::to_string(entry.state->version()) +
                                              ", known up to " + std::to_string(newest_known));
        entry.claimed = true;
        return entry.state;
    }
    return fail(ErrorCode::Missing, device_name(kind, instance) + " has no record");
}

Status Claims::claim_into(std::string_view kind, std::string_view instance,
                          std::uint32_t newest_known, google::protobuf::Message& message) {
    const v1::DeviceState* state = SKEP_TRY(claim(kind, instance, newest_known));
    if (!state->state().UnpackTo(&message))
        return fail(ErrorCode::Malformed, device_name(kind, instance) + " holds " +
                                              state->state().type_url() + ", not a valid " +
                                              message.GetTypeName());
    return {};
}

Status Claims::finish() const {
    std::string names;
    for (const Entry& entry : entries_) {
        if (!entry.claimed)
            names += (names.empty() ? "" : ", ") +
                     device_name(entry.state->kind(), entry.state->instance());
    }
    if (!names.empty())
        return fail(ErrorCode::LeftOver, "this machine has no " + names);
    return {};
}

}  // namespace skep::snapshot
