#include <snapshot/tool/definitions.hpp>

#include <fmt/format.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver_util.h>

namespace skep::snapshot::tool {
namespace {

namespace pb = google::protobuf;

constexpr const char* kTypeUrlPrefix = "type.googleapis.com";
constexpr std::size_t kShownBytes = 32;

class RegisterPrinter final : public pb::TextFormat::FastFieldValuePrinter {
  public:
    void PrintUInt32(pb::uint32 value, pb::TextFormat::BaseTextGenerator* out) const override {
        out->PrintString(fmt::format("{:#x}", value));
    }
    void PrintUInt64(pb::uint64 value, pb::TextFormat::BaseTextGenerator* out) const override {
        out->PrintString(fmt::format("{:#x}", value));
    }
    void PrintBytes(const std::string& value,
                    pb::TextFormat::BaseTextGenerator* out) const override {
        std::string text = fmt::format("<{} bytes>", value.size());
        for (std::size_t i = 0; i < std::min(value.size(), kShownBytes); ++i)
            text += fmt::format(" {:02x}", static_cast<unsigned char>(value[i]));
        out->PrintString(text + (value.size() > kShownBytes ? " ..." : ""));
    }
};

// Expands Any by the definitions of the pool.
class PoolFinder final : public pb::TextFormat::Finder {
  public:
    explicit PoolFinder(const pb::DescriptorPool* pool) : pool_(pool) {}
    const pb::Descriptor* FindAnyType(const pb::Message&, const std::string&,
                                      const std::string& name) const override {
        return pool_->FindMessageTypeByName(name);
    }

  private:
    const pb::DescriptorPool* pool_;
};

}  // namespace

Result<Definitions> Definitions::create(const v1::Schema* schema) {
    Definitions definitions;
    definitions.factory_ = std::make_unique<pb::DynamicMessageFactory>();
    if (schema == nullptr)
        return definitions;
    pb::FileDescriptorSet files;
    if (!files.ParseFromString(schema->file_descriptor_set()))
        return fail(ErrorCode::Malformed, "the schema is not a FileDescriptorSet");
    definitions.own_pool_ = std::make_unique<pb::DescriptorPool>();
    for (const pb::FileDescriptorProto& file : files.file()) {
        if (definitions.own_pool_->BuildFile(file) == nullptr)
            return fail(ErrorCode::Malformed, "the schema's definition of " + file.name());
    }
    return definitions;
}

const pb::DescriptorPool* Definitions::pool() const {
    return own_pool_ ? own_pool_.get() : pb::DescriptorPool::generated_pool();
}

std::unique_ptr<pb::Message> Definitions::redefine(const pb::Message& message) const {
    const pb::Descriptor* descriptor = pool()->FindMessageTypeByName(message.GetTypeName());
    if (descriptor == nullptr)
        descriptor = message.GetDescriptor();
    std::unique_ptr<pb::Message> result(factory_->GetPrototype(descriptor)->New());
    result->ParseFromString(message.SerializeAsString());
    return result;
}

std::string Definitions::text(const pb::Message& message, int indent) const {
    const PoolFinder finder(pool());
    pb::TextFormat::Printer printer;
    printer.SetInitialIndentLevel(indent);
    printer.SetExpandAny(true);
    printer.SetFinder(&finder);
    printer.SetUseShortRepeatedPrimitives(true);
    printer.SetDefaultFieldValuePrinter(new RegisterPrinter);  // which it owns
    std::string text;
    printer.PrintToString(*redefine(message), &text);
    return text;
}

Result<std::string> Definitions::json(const pb::Message& message) const {
    const std::unique_ptr<pb::util::TypeResolver> resolver(
        pb::util::NewTypeResolverForDescriptorPool(kTypeUrlPrefix, pool()));
    pb::util::JsonPrintOptions options;
    options.preserve_proto_field_names = true;
    std::string text;
    const auto printed = pb::util::BinaryToJsonString(
        resolver.get(), std::string(kTypeUrlPrefix) + "/" + message.GetTypeName(),
        message.SerializeAsString(), &text, options);
    if (!printed.ok())
        return fail(ErrorCode::Malformed,
                    message.GetTypeName() + " as JSON: " + printed.ToString());
    return text;
}

}  // namespace skep::snapshot::tool
