// The definitions of the messages in a file, for the "schema" record.
#pragma once

#include <skep/snapshot/v1/snapshot.pb.h>

#include <google/protobuf/descriptor.pb.h>

#include <set>
#include <string>

namespace skep::snapshot {

class SchemaCollector {
  public:
    // Adds the .proto file that defines the message, and those it imports.
    void add(const google::protobuf::Descriptor& message);
    v1::Schema schema() const;

  private:
    void add_file(const google::protobuf::FileDescriptor& file);

    std::set<std::string> names_;
    google::protobuf::FileDescriptorSet files_;
};

}  // namespace skep::snapshot
