// The time of day, as the API wants it.
#pragma once

#include <google/protobuf/timestamp.pb.h>

#include <ctime>

namespace skep::mgmt {

inline google::protobuf::Timestamp timestamp_now() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    google::protobuf::Timestamp timestamp;
    timestamp.set_seconds(now.tv_sec);
    timestamp.set_nanos(static_cast<int>(now.tv_nsec));
    return timestamp;
}

}  // namespace skep::mgmt
