#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/code_of.hpp"
#include "base/error.hpp"
#include "site/site.hpp"

namespace liftlock {
namespace {

Site site_of(const TemporaryFolder& folder, const std::string& tables) {
  write_file_atomically(folder.path() / "config.toml", "zone = \"ingest\"\n" + tables);
  return Site(folder.path());
}

std::optional<ErrorCode> code_for(const std::string& table) {
  const TemporaryFolder folder;
  return code_of([&] { site_of(folder, table); });
}

TEST(Repositories, ARegistryIsOneOfKindOci) {
  const TemporaryFolder folder;
  const auto site = site_of(folder, R"(
[registry.old]
address = "https://registry.example:5000"
prefix = "airgap"
[repository.new]
kind = "oci"
address = "https://registry.example:5001"
takes = ["image", "chart"]
)");
  const auto& found = site.config().repositories;
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found.at("old").kind, "oci");
  EXPECT_EQ(found.at("old").table, "[registry.old]");
  EXPECT_EQ(found.at("old").text("prefix"), "airgap");
  EXPECT_EQ(found.at("new").text("prefix"), "");
  EXPECT_EQ(found.at("new").takes, (std::vector<std::string>{"image", "chart"}));
}

TEST(Repositories, EachKindHasItsOwnKeysAndNoOthers) {
  EXPECT_EQ(code_for("[repository.a]\naddress = \"https://x\"\n"), ErrorCode::config_invalid);
  EXPECT_EQ(code_for("[repository.a]\nkind = \"svn\"\naddress = \"https://x\"\n"), ErrorCode::config_invalid);
  EXPECT_EQ(code_for("[repository.a]\nkind = \"npm\"\n"), ErrorCode::config_invalid);
  EXPECT_EQ(code_for("[repository.a]\nkind = \"npm\"\naddress = \"https://x\"\nindex = \"simple\"\n"),
            ErrorCode::unknown_key);
  EXPECT_EQ(code_for("[repository.a]\nkind = \"aptly\"\naddress = \"https://x\"\n"), ErrorCode::config_invalid);
  EXPECT_EQ(code_for("[repository.a]\nkind = \"reprepro\"\nfolder = \"incoming\"\n"), ErrorCode::config_invalid);
  EXPECT_EQ(code_for("[repository.a]\nkind = \"reprepro\"\nfolder = \"/in\"\naddress = \"https://x\"\n"),
            ErrorCode::unknown_key);
  EXPECT_EQ(code_for("[repository.a]\nkind = \"npm\"\naddress = \"https://x\"\nlogin_file = \"/a\"\ntoken_file = "
                     "\"/b\"\n"),
            ErrorCode::config_invalid);
  EXPECT_EQ(code_for("[repository]\na = 1\n"), ErrorCode::config_invalid);
}

TEST(Channels, ACadenceNeedsItsTime) {
  EXPECT_EQ(code_for("[channel.a]\n"), ErrorCode::config_invalid);
}

TEST(Repositories, OneNameInBothTablesIsRefused) {
  EXPECT_EQ(
      code_for("[registry.a]\naddress = \"https://x\"\n[repository.a]\nkind = \"oci\"\naddress = \"https://x\"\n"),
      ErrorCode::config_invalid);
}

TEST(Repositories, SettingsNameFilesAndNotWhatTheyHold) {
  const TemporaryFolder folder;
  const auto site = site_of(folder,
                            "[repository.deb]\nkind = \"aptly\"\naddress = \"https://x\"\nrepository = "
                            "\"site\"\nlogin_file = \"/etc/login\"\n");
  const auto settings = settings_json(site.config());
  EXPECT_EQ(settings["repository.deb.kind"], "aptly");
  EXPECT_EQ(settings["repository.deb.login_file"], "/etc/login");
  EXPECT_EQ(settings["repository.deb.repository"], "site");
}

}  // namespace
}  // namespace liftlock
