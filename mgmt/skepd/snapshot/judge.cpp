#include "mgmt/skepd/snapshot/judge.hpp"

#include <snapshot/io.hpp>
#include <snapshot/reader.hpp>

namespace skep::mgmt {
namespace {

Error translated(const snapshot::Error& error, const std::string& name) {
    auto message = name + ": " + error.describe();
    using snapshot::ErrorCode;
    switch (error.code) {
        case ErrorCode::Io:
            return Error(Code::Internal, "SNAPSHOT_UNREADABLE", message).on(name);
        case ErrorCode::NotSnapshot:
            return Error(Code::InvalidArgument, "NOT_A_SNAPSHOT", message)
                .on(name)
                .with_hint("is this the file that 'skep snapshot export' wrote?");
        case ErrorCode::Newer:
        case ErrorCode::Unknown:
            return Error(Code::FailedPrecondition, "SNAPSHOT_TOO_NEW", message)
                .on(name)
                .with_hint("restore it on the release of Skep that wrote it, or a newer one");
        case ErrorCode::TooLarge:
            return Error(Code::ResourceExhausted, "SNAPSHOT_TOO_LARGE", message).on(name);
        default:
            return Error(Code::DataLoss, "SNAPSHOT_DAMAGED", message)
                .on(name)
                .with_hint(
                    "the file is damaged or incomplete: export it again, compare sizes and "
                    "digests");
    }
}

}  // namespace

Result<skep::api::v1::Snapshot> judge_snapshot(int fd, const std::string& name) {
    snapshot::FdFile file(fd);
    auto opened = snapshot::Snapshot::open(file);
    if (!opened)
        return fail(translated(opened.error(), name));
    skep::api::v1::Snapshot result;
    *result.mutable_spec() = opened->manifest().machine();
    result.set_creator(opened->manifest().creator());
    result.set_size_bytes(opened->summary().file_bytes);
    result.set_ram_bytes(opened->summary().ram_bytes);
    return result;
}

}  // namespace skep::mgmt
