#include "mgmt/skepd/catalogue/catalogue.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include <unistd.h>

namespace skep::mgmt {
namespace {

class CatalogueTest : public testing::Test {
  protected:
    void SetUp() override {
        folder_ = testing::TempDir() + "catalogue-" + std::to_string(::getpid());
        std::filesystem::create_directories(folder_);
        open();
    }
    void TearDown() override {
        catalogue_.reset();
        std::filesystem::remove_all(folder_);
    }
    void open() {
        catalogue_.reset();
        auto opened = Catalogue::open(path());
        ASSERT_TRUE(opened) << opened.error().message;
        catalogue_ = std::move(*opened);
    }
    std::string path() const { return folder_ + "/catalogue.db"; }

    std::string folder_;
    std::unique_ptr<Catalogue> catalogue_;
};

TEST_F(CatalogueTest, KeepsRecordsOverReopening) {
    using namespace std::string_literals;
    auto record = "a\0b"s;
    ASSERT_TRUE(catalogue_->insert(Table::Vms, "one", record));
    auto revision = catalogue_->update(Table::Vms, "one", record + "c");
    ASSERT_TRUE(revision);
    EXPECT_EQ(*revision, 2);
    open();
    auto row = catalogue_->get(Table::Vms, "one");
    ASSERT_TRUE(row);
    EXPECT_EQ(row->record, record + "c");
    EXPECT_EQ(row->revision, 2);
}

TEST_F(CatalogueTest, NamesWhatExistsOrDoesNot) {
    ASSERT_TRUE(catalogue_->insert(Table::Images, "a", "x"));
    auto again = catalogue_->insert(Table::Images, "a", "y");
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, Code::AlreadyExists);
    EXPECT_EQ(again.error().resource, "images/a");
    // The same id in another table is another thing.
    EXPECT_TRUE(catalogue_->insert(Table::Vms, "a", "z"));
    auto removed = catalogue_->remove(Table::Images, "b");
    ASSERT_FALSE(removed);
    EXPECT_EQ(removed.error().code, Code::NotFound);
    EXPECT_EQ(removed.error().resource, "images/b");
    auto updated = catalogue_->update(Table::Images, "b", "");
    ASSERT_FALSE(updated);
    EXPECT_EQ(updated.error().code, Code::NotFound);
    EXPECT_EQ(catalogue_->get(Table::Images, "a")->record, "x");
}

TEST_F(CatalogueTest, ListsInBothOrders) {
    for (const char* id : {"b", "c", "a"})
        ASSERT_TRUE(catalogue_->insert(Table::Operations, id, id));
    auto by_id = catalogue_->list(Table::Operations, "a", 10);
    ASSERT_TRUE(by_id);
    ASSERT_EQ(by_id->size(), 2u);
    EXPECT_EQ((*by_id)[0].id, "b");
    EXPECT_EQ((*by_id)[1].id, "c");
    auto newest = catalogue_->list_newest(Table::Operations, 0, 2);
    ASSERT_TRUE(newest);
    ASSERT_EQ(newest->size(), 2u);
    EXPECT_EQ((*newest)[0].id, "a");
    EXPECT_EQ((*newest)[1].id, "c");
    auto rest = catalogue_->list_newest(Table::Operations, newest->back().sequence, 2);
    ASSERT_TRUE(rest);
    ASSERT_EQ(rest->size(), 1u);
    EXPECT_EQ(rest->front().id, "b");
}

TEST_F(CatalogueTest, ForgetsOldOperationsWithTheirRequests) {
    for (int i = 0; i < 5; ++i) {
        auto id = "op-" + std::to_string(i);
        ASSERT_TRUE(catalogue_->insert(Table::Operations, id, ""));
        ASSERT_TRUE(catalogue_->remember_request("CreateVm", "r" + std::to_string(i), id));
    }
    ASSERT_TRUE(catalogue_->prune_operations(2));
    EXPECT_EQ(catalogue_->list_newest(Table::Operations, 0, 10)->size(), 2u);
    EXPECT_EQ(*catalogue_->operation_of_request("CreateVm", "r4"), "op-4");
    EXPECT_EQ(*catalogue_->operation_of_request("CreateVm", "r0"), std::nullopt);
    // The same request id of another method is another request.
    EXPECT_EQ(*catalogue_->operation_of_request("StartVm", "r4"), std::nullopt);
}

TEST_F(CatalogueTest, NeedsNoSharedMemoryFile) {
    ASSERT_TRUE(catalogue_->insert(Table::Vms, "a", ""));
    EXPECT_TRUE(std::filesystem::exists(path() + "-wal"));
    EXPECT_FALSE(std::filesystem::exists(path() + "-shm"));
}

TEST_F(CatalogueTest, RefusesWhatIsNoCatalogue) {
    catalogue_.reset();
    std::ofstream(path(), std::ios::trunc) << std::string(4096, 'x');
    auto opened = Catalogue::open(path());
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().reason, "CATALOGUE_FAILED");
}

}  // namespace
}  // namespace skep::mgmt
