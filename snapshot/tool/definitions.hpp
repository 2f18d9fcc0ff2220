// Shows messages by their definitions: those in the file's "schema" record if there is one, so that
// a file of a later release is shown with the names of that release; else those of this one.
#pragma once

#include <skep/snapshot/v1/snapshot.pb.h>

#include <snapshot/error.hpp>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>

#include <memory>
#include <string>

namespace skep::snapshot::tool {

class Definitions {
  public:
    // `schema` may be null. Malformed if its definitions do not fit together.
    static Result<Definitions> create(const v1::Schema* schema);

    // Indented "name: value" lines; numbers in hexadecimal.
    std::string text(const google::protobuf::Message& message, int indent) const;
    // In protobuf's JSON mapping, on one line.
    Result<std::string> json(const google::protobuf::Message& message) const;

  private:
    const google::protobuf::DescriptorPool* pool() const;
    // The same message by the file's own definition.
    std::unique_ptr<google::protobuf::Message> redefine(
        const google::protobuf::Message& message) const;

    std::unique_ptr<google::protobuf::DescriptorPool> own_pool_;
    std::unique_ptr<google::protobuf::DynamicMessageFactory> factory_;
};

}  // namespace skep::snapshot::tool
