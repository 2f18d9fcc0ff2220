#include <snapshot/schema.hpp>

#include <google/protobuf/descriptor.h>

namespace skep::snapshot {

void SchemaCollector::add(const google::protobuf::Descriptor& message) {
    add_file(*message.file());
}

// Imports first, as a reader that builds the files one by one needs them.
void SchemaCollector::add_file(const google::protobuf::FileDescriptor& file) {
    if (!names_.insert(file.name()).second)
        return;
    for (int i = 0; i < file.dependency_count(); ++i)
        add_file(*file.dependency(i));
    file.CopyTo(files_.add_file());
}

v1::Schema SchemaCollector::schema() const {
    v1::Schema schema;
    files_.SerializeToString(schema.mutable_file_descriptor_set());
    return schema;
}

}  // namespace skep::snapshot
