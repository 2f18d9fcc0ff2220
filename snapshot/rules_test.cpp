// Files whose checksums are right but whose records are not: made by another program, another
// release or an attacker.
#include <snapshot/page_batch.hpp>
#include <snapshot/reader.hpp>
#include <snapshot/testing/forge.hpp>
#include <snapshot/testing/sample_guest.hpp>

#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>
#include <zstd.h>

#include <cstring>

namespace skep::snapshot {
namespace {

using testing::edit;
using testing::find;
using testing::ForgedRecord;
using testing::ForgeOptions;
using testing::put_together;
using testing::sample_guest;

class Rules : public ::testing::Test {
  protected:
    std::vector<ForgedRecord> records = testing::take_apart(testing::write(sample_guest()));

    // Expects that the records are refused, with a message that contains `names`.
    void expect_refused(ErrorCode code, std::string_view names, const ForgeOptions& options = {}) {
        const std::vector<std::byte> bytes = put_together(records, options);
        const MemoryFile file(bytes);
        const auto snapshot = Snapshot::open(file);
        ASSERT_FALSE(snapshot);
        EXPECT_EQ(name(snapshot.error().code), name(code)) << snapshot.error().describe();
        EXPECT_NE(snapshot.error().describe().find(names), std::string::npos)
            << snapshot.error().describe();
        EXPECT_TRUE(snapshot.error().where);
    }

    template <typename Change>
    void edit_batch(std::string_view kind, Change change) {
        edit<v1::PageBatch>(find_data_batch(kind), change);
    }

    ForgedRecord& find_data_batch(std::string_view kind) {
        for (ForgedRecord& record : records) {
            v1::PageBatch batch;
            if (record.kind == kind && batch.ParseFromString(record.payload) &&
                batch.encoding() != v1::PageBatch::ENCODING_ZERO)
                return record;
        }
        std::abort();
    }
};

TEST_F(Rules, ForgedFileIsValid) {
    const std::vector<std::byte> bytes = put_together(records);
    EXPECT_EQ(bytes, testing::write(sample_guest()));
}

TEST_F(Rules, UnknownOptionalRecordIsKept) {
    records.insert(records.begin() + 3,
                   {.kind = "note", .version = 7, .flags = 0, .payload = "keep me"});
    const std::vector<std::byte> bytes = put_together(records);
    const MemoryFile file(bytes);
    const auto snapshot = Snapshot::open(file);
    ASSERT_TRUE(snapshot) << snapshot.error().describe();
    ASSERT_EQ(snapshot->unknown_records().size(), 1u);
    const UnknownRecord& note = snapshot->unknown_records()[0];
    EXPECT_EQ(note.kind, "note");
    EXPECT_EQ(note.version, 7);
    EXPECT_EQ(std::memcmp(note.payload.data(), "keep me", 7), 0);
    EXPECT_EQ(testing::compare(*snapshot, sample_guest()), "");
}

TEST_F(Rules, NewerOptionalRecordIsKept) {
    find(records, "schema").version = 2;
    const std::vector<std::byte> bytes = put_together(records);
    const MemoryFile file(bytes);
    const auto snapshot = Snapshot::open(file);
    ASSERT_TRUE(snapshot) << snapshot.error().describe();
    EXPECT_EQ(snapshot->schema(), nullptr);
    EXPECT_EQ(snapshot->unknown_records().size(), 1u);
}

TEST_F(Rules, UnknownFieldIsKept) {
    edit<v1::VcpuState>(find(records, "vcpu"), [](v1::VcpuState& state) {
        state.GetReflection()->MutableUnknownFields(&state)->AddVarint(1000, 5);
    });
    const std::vector<std::byte> bytes = put_together(records);
    const MemoryFile file(bytes);
    const auto snapshot = Snapshot::open(file);
    ASSERT_TRUE(snapshot) << snapshot.error().describe();
    const v1::VcpuState& state = snapshot->vcpus()[0];
    EXPECT_EQ(state.GetReflection()->GetUnknownFields(state).field(0).varint(), 5u);
}

TEST_F(Rules, UnknownRequiredRecordIsRefusedByName) {
    records.insert(records.begin() + 1, {.kind = "tpm-nv", .payload = "x"});
    expect_refused(ErrorCode::Unknown, "\"tpm-nv\"");
}

TEST_F(Rules, NewerRequiredRecordIsRefusedByName) {
    find(records, "clock").version = 2;
    expect_refused(ErrorCode::Newer, "(clock)");
}

TEST_F(Rules, RequiredFeatureIsRefusedByName) {
    edit<v1::Manifest>(
        records[0], [](v1::Manifest& manifest) { manifest.add_required_features("nested-vmx"); });
    expect_refused(ErrorCode::Newer, "\"nested-vmx\"");
}

TEST_F(Rules, NewerContainerIsJudgedByItsHeader) {
    expect_refused(ErrorCode::Newer, "version 2",
                   {.header = {.container_version = 2, .minimum_reader_version = 2}});
    expect_refused(ErrorCode::Newer, "digest algorithm 9", {.header = {.digest_algorithm = 9}});
    expect_refused(ErrorCode::Malformed, "minimum reader version 0",
                   {.header = {.minimum_reader_version = 0}});
    expect_refused(ErrorCode::Malformed, "header size", {.header = {.header_bytes = 1u << 30}});

    const auto bytes = put_together(records, {.header = {.container_version = 9}});
    const MemoryFile file(bytes);
    EXPECT_TRUE(Snapshot::open(file)) << "a later container that says this reader can read it";
}

TEST_F(Rules, FlagsOfKnownKinds) {
    find(records, "device").flags = 0;
    expect_refused(ErrorCode::Malformed, "(device)");
    find(records, "device").flags = 3;
    expect_refused(ErrorCode::Newer, "flags");
}

TEST_F(Rules, MissingDevice) {
    std::erase_if(records, [](const ForgedRecord& r) {
        return r.kind == "device" && r.payload.find("two") != std::string::npos;
    });
    expect_refused(ErrorCode::Missing, "device sample/two");
}

TEST_F(Rules, LeftOverDevice) {
    edit<v1::Manifest>(records[0],
                       [](v1::Manifest& manifest) { manifest.mutable_devices()->RemoveLast(); });
    expect_refused(ErrorCode::LeftOver, "device sample/three");
}

TEST_F(Rules, DuplicateDevice) {
    records.push_back(find(records, "device"));
    expect_refused(ErrorCode::Duplicate, "device sample/one");
}

TEST_F(Rules, DeviceVersionMustBeTheManifests) {
    edit<v1::DeviceState>(find(records, "device"),
                          [](v1::DeviceState& state) { state.set_version(2); });
    expect_refused(ErrorCode::Malformed, "device sample/one has version 2");
}

TEST_F(Rules, MissingLeftOverAndDuplicateVcpu) {
    const auto good = records;
    std::erase_if(records, [](const ForgedRecord& r) { return r.kind == "vcpu"; });
    expect_refused(ErrorCode::Missing, "vcpu 0");

    records = good;
    records.erase(std::ranges::find(records, "vcpu", &ForgedRecord::kind));
    expect_refused(ErrorCode::Missing, "vcpu 0 before vcpu 1");

    records = good;
    records.push_back(find(records, "vcpu"));
    expect_refused(ErrorCode::Duplicate, "vcpu 0");

    records = good;
    records.push_back(find(records, "vcpu"));
    edit<v1::VcpuState>(records.back(), [](v1::VcpuState& state) { state.set_index(2); });
    expect_refused(ErrorCode::LeftOver, "vcpu 2");
}

TEST_F(Rules, MissingRegister) {
    edit<v1::VcpuState>(find(records, "vcpu"), [](v1::VcpuState& state) {
        state.mutable_segments()->mutable_tr()->clear_base();
    });
    expect_refused(ErrorCode::Missing, "vcpu 0: segments.tr.base");
}

TEST_F(Rules, MissingOrSecondClock) {
    const auto good = records;
    std::erase_if(records, [](const ForgedRecord& r) { return r.kind == "clock"; });
    expect_refused(ErrorCode::Missing, "clock");
    records = good;
    records.push_back(find(records, "clock"));
    expect_refused(ErrorCode::Duplicate, "clock");
}

TEST_F(Rules, MissingPages) {
    records.erase(std::ranges::find(records, "ram", &ForgedRecord::kind));
    expect_refused(ErrorCode::Missing, "RAM at 0x0");
}

TEST_F(Rules, PagesTwice) {
    records.push_back(find(records, "ram"));
    expect_refused(ErrorCode::Duplicate, "RAM at 0x0");
}

TEST_F(Rules, PagesOutsideOfRam) {
    edit_batch("ram", [](v1::PageBatch& batch) { batch.set_start(std::uint64_t{1} << 63); });
    expect_refused(ErrorCode::Malformed, "RAM has no range");
}

TEST_F(Rules, PagesOfAnUnknownOrReferencedDisk) {
    const auto good = records;
    edit_batch("disk", [](v1::PageBatch& batch) { batch.set_disk(77); });
    expect_refused(ErrorCode::Malformed, "disk 77");
    records = good;
    edit_batch("disk", [](v1::PageBatch& batch) { batch.set_disk(1); });
    expect_refused(ErrorCode::Malformed, "disk base has no range");
}

TEST_F(Rules, DiskContentAfterItsEnd) {
    for (ForgedRecord& record : records) {
        if (record.kind == "disk")
            edit<v1::PageBatch>(record, [](v1::PageBatch& batch) {
                BatchDecoder decoder;
                const auto content = *decoder.decode(batch);
                std::string raw(reinterpret_cast<const char*>(content.data()), content.size());
                raw.back() = 'x';
                batch.set_encoding(v1::PageBatch::ENCODING_RAW);
                batch.set_data(raw);
            });
    }
    expect_refused(ErrorCode::Malformed, "content after its end");
}

TEST_F(Rules, HostileBatches) {
    const auto good = records;
    const auto refuse = [&](ErrorCode code, std::string_view names, auto change) {
        records = good;
        edit_batch("ram", change);
        expect_refused(code, names);
    };
    using Batch = v1::PageBatch;
    refuse(ErrorCode::Malformed, "bitmap", [](Batch& b) { b.mutable_present()->push_back(1); });
    refuse(ErrorCode::Malformed, "bitmap", [](Batch& b) { b.clear_present(); });
    refuse(ErrorCode::Malformed, "bitmap",
           [](Batch& b) { b.mutable_present()->assign(b.present().size(), '\0'); });
    refuse(ErrorCode::Malformed, "bitmap", [](Batch& b) { b.set_pages(b.pages() - 8); });
    refuse(ErrorCode::Malformed, "zstd", [](Batch& b) { b.mutable_present()->at(0) ^= 1; });
    refuse(ErrorCode::Malformed, "zstd", [](Batch& b) { b.mutable_data()->push_back('x'); });
    refuse(ErrorCode::Malformed, "zstd", [](Batch& b) { b.clear_data(); });
    refuse(ErrorCode::Malformed, "bytes for",
           [](Batch& b) { b.set_encoding(Batch::ENCODING_RAW); });
    refuse(ErrorCode::Malformed, "zero pages with content",
           [](Batch& b) { b.set_encoding(Batch::ENCODING_ZERO); });
    refuse(ErrorCode::Unknown, "encoding 77",
           [](Batch& b) { b.set_encoding(static_cast<Batch::Encoding>(77)); });
    refuse(ErrorCode::TooLarge, "pages in one batch", [](Batch& b) { b.set_pages(1u << 31); });
    refuse(ErrorCode::Malformed, "0 pages", [](Batch& b) { b.set_pages(0); });
    refuse(ErrorCode::Malformed, "pages at 4097", [](Batch& b) { b.set_start(4097); });
    // A frame that keeps its announced sizes but ends in a bit stream without its end mark (RFC
    // 8878, 4.1).
    refuse(ErrorCode::Malformed, "compressed pages",
           [](Batch& b) { b.mutable_data()->back() = '\0'; });
    // A frame that expands to more than it has to.
    refuse(ErrorCode::Malformed, "zstd", [](Batch& b) {
        const std::string bomb(256u << 20, '\0');
        std::string& data = *b.mutable_data();
        data.resize(ZSTD_compressBound(bomb.size()));
        data.resize(ZSTD_compress(data.data(), data.size(), bomb.data(), bomb.size(), 1));
    });
}

TEST_F(Rules, HostileManifests) {
    const auto good = records;
    const auto refuse = [&](ErrorCode code, std::string_view names, auto change) {
        records = good;
        edit<v1::Manifest>(records[0], change);
        expect_refused(code, names);
    };
    using Manifest = v1::Manifest;
    refuse(ErrorCode::Malformed, "0 vCPUs", [](Manifest& m) { m.mutable_machine()->set_vcpus(0); });
    refuse(ErrorCode::Malformed, "4294967295 vCPUs",
           [](Manifest& m) { m.mutable_machine()->set_vcpus(~0u); });
    refuse(ErrorCode::Malformed, "RAM regions",
           [](Manifest& m) { m.mutable_machine()->set_memory_bytes(1); });
    refuse(ErrorCode::Malformed, "RAM region", [](Manifest& m) { m.mutable_ram(1)->set_gpa(0); });
    refuse(ErrorCode::Malformed, "RAM region",
           [](Manifest& m) { m.mutable_ram(1)->set_size(~std::uint64_t{4095}); });
    refuse(ErrorCode::TooLarge, "RAM regions", [](Manifest& m) {
        while (m.ram_size() < 100)
            m.add_ram();
    });
    refuse(ErrorCode::Duplicate, "device sample/one",
           [](Manifest& m) { *m.add_devices() = m.devices(0); });
    refuse(ErrorCode::Malformed, "device entry",
           [](Manifest& m) { m.mutable_devices(0)->set_kind("a/b"); });
    refuse(ErrorCode::Malformed, "disk data",
           [](Manifest& m) { m.mutable_disks(0)->set_size_bytes(512); });
    refuse(ErrorCode::Unknown, "disk base",
           [](Manifest& m) { m.mutable_disks(1)->clear_content(); });
    refuse(ErrorCode::Malformed, "disk entries", [](Manifest& m) { m.clear_disks(); });
    // Huge but well-formed sizes cost no memory; the pages are just not there.
    refuse(ErrorCode::Missing, "RAM at", [](Manifest& m) {
        m.mutable_ram(1)->set_size(std::uint64_t{1} << 50);
        m.mutable_machine()->set_memory_bytes(m.ram(0).size() + m.ram(1).size());
    });
}

TEST_F(Rules, ManifestFirstAndOnce) {
    std::swap(records[0], records[1]);
    expect_refused(ErrorCode::Missing, "manifest");
    std::swap(records[0], records[1]);
    records.push_back(records[0]);
    expect_refused(ErrorCode::Duplicate, "manifest");
}

TEST_F(Rules, PayloadThatIsNotProtobuf) {
    for (const char* kind : {"manifest", "clock", "vcpu", "device", "ram", "disk", "schema"}) {
        const std::string good = find(records, kind).payload;
        find(records, kind).payload = "\xff\xff\xff";
        expect_refused(ErrorCode::Malformed, kind);
        find(records, kind).payload = good;
    }
}

TEST_F(Rules, RecordLargerThanItsKindMayBe) {
    find(records, "clock").payload.assign(2u << 20, '\0');
    expect_refused(ErrorCode::TooLarge, "(clock)");
}

TEST_F(Rules, IndexMustFit) {
    const auto change_index = [](auto change) {
        return ForgeOptions{.change_end = [=](std::vector<ForgedRecord>& end) {
            edit<v1::Index>(find(end, "index"), change);
        }};
    };
    expect_refused(ErrorCode::Malformed, "index entry of record 1",
                   change_index([](v1::Index& i) { i.mutable_entries(1)->set_offset(0); }));
    expect_refused(ErrorCode::Missing, "index entry",
                   change_index([](v1::Index& i) { i.mutable_entries()->RemoveLast(); }));
    expect_refused(ErrorCode::LeftOver, "index entry",
                   change_index([](v1::Index& i) { i.add_entries()->set_kind("ram"); }));
    expect_refused(ErrorCode::Missing, "index",
                   {.change_end = [](auto& end) { end.erase(end.begin()); }});
    expect_refused(ErrorCode::Malformed, "after the index", {.change_end = [&](auto& end) {
                       end.insert(end.begin() + 1, find(records, "clock"));
                   }});
}

TEST_F(Rules, TrailerMustFit) {
    v1::Trailer trailer;
    trailer.set_digest(std::string(16, 'x'));
    const auto with_trailer = [&] {
        return ForgeOptions{.change_end = [&](std::vector<ForgedRecord>& end) {
            find(end, "trailer").payload = trailer.SerializeAsString();
        }};
    };
    expect_refused(ErrorCode::Damaged, "digest", with_trailer());
    trailer.clear_digest();
    trailer.set_records(1);
    expect_refused(ErrorCode::Damaged, "digest", with_trailer());
}

TEST(WriterRules, RefusesWhatAReaderWould) {
    const auto guest = sample_guest();
    MemorySink sink;
    auto writer = Writer::begin(sink, guest.manifest);
    ASSERT_TRUE(writer);
    const auto refused = [](const Status& status, ErrorCode code, std::string_view names) {
        ASSERT_FALSE(status);
        EXPECT_EQ(name(status.error().code), name(code));
        EXPECT_NE(status.error().message.find(names), std::string::npos) << status.error().message;
    };
    refused(writer->vcpu(guest.vcpus[1]), ErrorCode::Misuse, "vcpu 1");
    v1::VcpuState incomplete = guest.vcpus[0];
    incomplete.mutable_control()->clear_cr3();
    refused(writer->vcpu(incomplete), ErrorCode::Missing, "control.cr3");
    refused(writer->device("vga", "0", guest.clock), ErrorCode::LeftOver, "device vga/0");
    refused(writer->ram(64u << 20, guest.low_ram), ErrorCode::Malformed, "RAM has no range");
    refused(writer->ram(0, std::span(guest.low_ram).first(100)), ErrorCode::Misuse, "100 bytes");
    refused(writer->disk(5, 0, guest.disk), ErrorCode::Misuse, "disk 5");
    refused(writer->disk(0, 4096, guest.disk), ErrorCode::Misuse, "disk data");
    refused(writer->disk_zero(1, 0, 4096), ErrorCode::Malformed, "disk base");

    ASSERT_TRUE(writer->vcpu(guest.vcpus[0]));
    ASSERT_TRUE(writer->vcpu(guest.vcpus[1]));
    ASSERT_TRUE(writer->clock(guest.clock));
    ASSERT_TRUE(writer->device("sample", "one", testing::SampleGuest::device_state(0)));
    refused(writer->device("sample", "one", testing::SampleGuest::device_state(0)),
            ErrorCode::Duplicate, "one");
    const auto summary = writer->finish();
    ASSERT_FALSE(summary);
    EXPECT_EQ(summary.error().code, ErrorCode::Missing);
    EXPECT_NE(summary.error().message.find("device sample/two"), std::string::npos);
}

}  // namespace
}  // namespace skep::snapshot
