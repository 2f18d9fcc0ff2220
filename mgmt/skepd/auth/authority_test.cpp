#include "mgmt/skepd/auth/authority.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include <unistd.h>

namespace skep::mgmt {
namespace {

class AuthorityTest : public testing::Test {
  protected:
    void SetUp() override {
        folder_ = testing::TempDir() + "authority-" + std::to_string(::getpid());
        std::filesystem::create_directories(folder_);
        auto catalogue = Catalogue::open(folder_ + "/catalogue.db");
        ASSERT_TRUE(catalogue);
        catalogue_ = std::move(*catalogue);
        reopen();
    }
    void TearDown() override {
        authority_.reset();
        catalogue_.reset();
        std::filesystem::remove_all(folder_);
    }
    void reopen() {
        auto authority = Authority::open(*catalogue_);
        ASSERT_TRUE(authority);
        authority_ = std::move(*authority);
    }
    std::string reason_of_exchange(const std::string& token) {
        auto issued = authority_->exchange(token, "me");
        return issued ? "issued" : issued.error().reason;
    }

    std::string folder_;
    std::unique_ptr<Catalogue> catalogue_;
    std::unique_ptr<Authority> authority_;
};

TEST_F(AuthorityTest, TokenIsGoodOnce) {
    auto token = authority_->issue_one_time_token();
    ASSERT_TRUE(token);
    EXPECT_EQ(reason_of_exchange("WRONG-WRONG-WRONG-WRONG"), "TOKEN_WRONG");
    EXPECT_EQ(reason_of_exchange(""), "TOKEN_WRONG");
    EXPECT_EQ(reason_of_exchange(*token), "issued");
    EXPECT_EQ(reason_of_exchange(*token), "TOKEN_USED");
    reopen();
    EXPECT_EQ(reason_of_exchange(*token), "TOKEN_USED");
}

TEST_F(AuthorityTest, TokenMayBeRetyped) {
    auto token = *authority_->issue_one_time_token();
    std::transform(token.begin(), token.end(), token.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    EXPECT_EQ(reason_of_exchange(" " + token + "\n"), "issued");
}

TEST_F(AuthorityTest, ANewTokenReplacesTheOneBefore) {
    auto first = *authority_->issue_one_time_token();
    auto second = *authority_->issue_one_time_token();
    EXPECT_EQ(reason_of_exchange(first), "TOKEN_WRONG");
    EXPECT_EQ(reason_of_exchange(second), "issued");
}

TEST_F(AuthorityTest, CredentialsSurviveARestart) {
    auto issued = authority_->exchange(*authority_->issue_one_time_token(), "me");
    ASSERT_TRUE(issued);
    reopen();
    EXPECT_TRUE(authority_->has_credentials());
    auto caller = authority_->authenticate("Bearer " + issued->secret);
    ASSERT_TRUE(caller);
    EXPECT_EQ("credentials/" + *caller, issued->credential.name());
}

TEST_F(AuthorityTest, RefusesWithAReason) {
    auto reason = [&](const std::optional<std::string>& authorization) {
        auto caller = authority_->authenticate(authorization);
        return caller ? "accepted" : caller.error().reason;
    };
    EXPECT_EQ(reason(std::nullopt), "CREDENTIAL_MISSING");
    EXPECT_EQ(reason("Basic eDp5"), "CREDENTIAL_MALFORMED");
    EXPECT_EQ(reason("Bearer " + std::string(64, '0')), "CREDENTIAL_UNKNOWN");
    EXPECT_EQ(reason("Bearer "), "CREDENTIAL_UNKNOWN");
}

TEST_F(AuthorityTest, StoresNoSecret) {
    auto token = *authority_->issue_one_time_token();
    auto issued = authority_->exchange(token, "me");
    ASSERT_TRUE(issued);
    auto rows = catalogue_->list(Table::Credentials, "", 10);
    ASSERT_EQ(rows->size(), 1u);
    EXPECT_EQ(rows->front().record.find(issued->secret), std::string::npos);
}

}  // namespace
}  // namespace skep::mgmt
