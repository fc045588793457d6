#include "ecosystem/rpm/inspector.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>

#include <map>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "ecosystem/rpm/indexed_package.hpp"
#include "ecosystem/rpm/test_rpms.hpp"

namespace liftlock::rpm {
namespace {

using namespace testing_support;
using testing::HasSubstr;

ArtifactFile file_at(std::string_view path, std::string_view bytes) {
  return {.path = RelPath::parse(path), .size = bytes.size(), .digest = sha256(bytes), .origin = {}, .evidence = {}};
}

Artifact artifact_of(const TestRpm& rpm) {
  Artifact out{.kind = "rpm", .name = rpm.name, .version = rpm.version + "-" + rpm.release};
  out.facts = {{"architecture", rpm.architecture}};
  out.files.push_back(file_at("packages/rpm/tool-1.0-1.noarch.rpm", rpm.bytes()));
  return out;
}

Inspection inspect(const Artifact& artifact, const TestRpm& rpm) {
  const auto fd = file_of(rpm.bytes());
  const std::array files = {fd.get()};
  return RpmInspector().inspect(artifact, files);
}

std::string finding(const Artifact& artifact, const TestRpm& rpm) {
  const auto found = inspect(artifact, rpm).findings;
  return found.empty() ? std::string() : found[0].message;
}

TEST(RpmInspector, TellsWhatThePackageIs) {
  TestRpm rpm;
  rpm.modes = {0104755};
  rpm.more = {text_entry(1024, "echo")};
  rpm.signatures = {binary_entry(268, "sig")};
  const auto out = inspect(artifact_of(rpm), rpm);
  EXPECT_TRUE(out.findings.empty());
  EXPECT_EQ(out.facts["license"], "MIT");
  EXPECT_EQ(out.facts["scripts"], Json({"post"}));
  EXPECT_EQ(out.facts["setuid"], Json({"/usr/bin/tool"}));
  EXPECT_EQ(out.facts["provides"], Json({"tool"}));
  EXPECT_EQ(out.facts["signature"]["openpgp"], "c2ln");
  EXPECT_EQ(out.facts["payload_digest"], true);
}

TEST(RpmInspector, TellsWhatThePackageIsInTheListsOfTheMirror) {
  const auto artifact = artifact_of({});
  const auto lists = indexed_package_from_facts(inspect(artifact, {}).facts.at("lists"));
  ASSERT_TRUE(lists);
  EXPECT_THAT(lists->primary, HasSubstr("<location href=\"Packages/tool-1.0-1.noarch.rpm\"/>"));
  EXPECT_THAT(lists->primary, HasSubstr(artifact.files[0].digest.hex()));
  EXPECT_THAT(lists->filelists, HasSubstr("<file>/usr/bin/tool</file>"));
}

TEST(RpmInspector, TellsOfAllThatRuns) {  // numbers as rpmbuild writes them
  const std::vector<std::pair<std::string, std::pair<std::uint32_t, std::uint32_t>>> scripts = {
      {"pretrans", {1151, 1153}},
      {"pre", {1023, 1085}},
      {"post", {1024, 1086}},
      {"preun", {1025, 1087}},
      {"postun", {1026, 1088}},
      {"posttrans", {1152, 1154}},
      {"preuntrans", {5103, 5105}},
      {"postuntrans", {5104, 5106}},
      {"triggers", {1065, 1092}},
      {"filetriggers", {5066, 5067}},
      {"transfiletriggers", {5076, 5077}},
      {"verify", {1079, 1091}}};
  for (const auto& [name, tags] : scripts) {
    for (const auto tag : {tags.first, tags.second}) {
      TestRpm rpm;
      rpm.more = {text_entry(tag, "/sbin/ldconfig")};
      EXPECT_EQ(inspect(artifact_of(rpm), rpm).facts["scripts"], Json({name})) << tag;
    }
  }
}

TEST(RpmInspector, TellsOfCapabilities) {
  TestRpm rpm;
  rpm.files = {{"/usr/bin/", "plain"}, {"/usr/bin/", "ping"}};
  rpm.modes = {0100755, 0100755};
  rpm.more = {texts_entry(5010, {"", "cap_net_raw=ep"})};
  EXPECT_EQ(inspect(artifact_of(rpm), rpm).facts["capabilities"], Json({"/usr/bin/ping"}));
  rpm.more = {texts_entry(5010, {"cap_net_raw=ep"})};
  EXPECT_THAT(finding(artifact_of(rpm), rpm), HasSubstr("2 files and capabilities of 1"));
}

TEST(RpmInspector, AHeaderOfAnotherPackageIsRefused) {
  const TestRpm rpm;
  auto artifact = artifact_of(rpm);
  EXPECT_EQ(finding(artifact, rpm), "");
  EXPECT_THAT(finding(artifact, TestRpm{.name = "other"}), HasSubstr("name 'other', the artifact 'tool'"));
  EXPECT_THAT(finding(artifact, TestRpm{.version = "1.1"}), HasSubstr("version '1.1-1', the artifact '1.0-1'"));
  EXPECT_THAT(finding(artifact, TestRpm{.epoch = 1}), HasSubstr("version '1:1.0-1'"));
  EXPECT_THAT(finding(artifact, TestRpm{.architecture = "i686"}), HasSubstr("architecture 'i686'"));
  artifact.name = "tool.noarch";
  EXPECT_EQ(finding(artifact, rpm), "");
  artifact.facts = Json::object();
  EXPECT_THAT(finding(artifact, rpm), HasSubstr("architecture"));
}

TEST(RpmInspector, AVendorOrSourceThatTheHeaderDoesNotHaveIsRefused) {
  TestRpm rpm;
  rpm.more = {text_entry(1011, "Vendor, Inc.")};
  auto artifact = artifact_of(rpm);
  EXPECT_EQ(inspect(artifact, rpm).facts["vendor"], "Vendor, Inc.");
  artifact.facts["vendor"] = "Vendor, Inc.";
  artifact.facts["source_rpm"] = "tool-1.src.rpm";
  EXPECT_EQ(finding(artifact, rpm), "");
  artifact.facts["vendor"] = "Another";
  EXPECT_THAT(finding(artifact, rpm), HasSubstr("vendor 'Vendor, Inc.'"));
  artifact.facts["vendor"] = "Vendor, Inc.";
  artifact.facts["source_rpm"] = "other-1.src.rpm";
  EXPECT_THAT(finding(artifact, rpm), HasSubstr("source_rpm 'tool-1.src.rpm'"));
  rpm.more = {text_entry(1011, std::string(5000, 'v'))};
  EXPECT_EQ(inspect(artifact_of(rpm), rpm).facts["vendor"].get<std::string>().size(), 200u);
}

TEST(RpmInspector, PathsAndFilesThatNoPackageHasAreRefused) {
  TestRpm rpm;
  rpm.files = {{"/usr/../etc/", "shadow"}};
  EXPECT_THAT(finding(artifact_of(rpm), rpm), HasSubstr("traverses"));
  rpm.files = {{"etc/", "shadow"}};
  EXPECT_THAT(finding(artifact_of(rpm), rpm), HasSubstr("is relative"));
  rpm.files = {{"/dev/", "sda"}};
  rpm.modes = {0060600};
  EXPECT_THAT(finding(artifact_of(rpm), rpm), HasSubstr("a device"));
}

TEST(RpmInspector, AHeaderThatWouldFillTheListsIsRefused) {
  TestRpm rpm;
  const std::uint32_t count = 20'000;
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < count; ++i) names.push_back(std::to_string(i));
  rpm.more = {texts_entry(1117, names), texts_entry(1118, {"/bin/" + std::string(3000, '"') + "/"}),
              numbers_entry(1116, std::vector<std::uint32_t>(count)),
              numbers_entry(1037, std::vector<std::uint32_t>(count)),
              numbers_entry(1030, std::vector<std::uint32_t>(count, 0100644), 3)};
  auto out = inspect(artifact_of(rpm), rpm);
  ASSERT_EQ(out.findings.size(), 1u);
  EXPECT_EQ(out.findings[0].code, ErrorCode::limit_exceeded);
  rpm.more[1] = texts_entry(1118, {"/usr/share/a-folder-as-long-as-they-are/"});
  EXPECT_TRUE(inspect(artifact_of(rpm), rpm).findings.empty());
  // What it asks for, and its texts.
  const std::vector<std::string> relations(800'000, "a"), versions(800'000);
  rpm.more = {texts_entry(1049, relations), texts_entry(1050, versions),
              numbers_entry(1048, std::vector<std::uint32_t>(800'000))};
  EXPECT_THAT(finding(artifact_of(rpm), rpm), HasSubstr("in a repository's lists"));
  rpm.more = {text_entry(1005, std::string(12u << 20, '"'))};
  EXPECT_THAT(finding(artifact_of(rpm), rpm), HasSubstr("in a repository's lists"));
}

TEST(RpmInspector, WhatIsNoPackageIsAFinding) {
  const TestRpm rpm;
  const auto fd = file_of("no rpm at all");
  const std::array files = {fd.get()};
  const auto out = RpmInspector().inspect(artifact_of(rpm), files);
  ASSERT_EQ(out.findings.size(), 1u);
  EXPECT_EQ(out.findings[0].code, ErrorCode::package_malformed);
}

std::vector<Finding> look_at_index(const std::vector<std::pair<std::string, std::string>>& content) {
  Artifact artifact{.kind = "rpm-index", .name = "x", .version = "1"};
  std::vector<UniqueFd> open;
  std::vector<int> files;
  for (const auto& [name, bytes] : content) {
    artifact.files.push_back(file_at("evidence/rpm/1/" + name, bytes));
    open.push_back(file_of(bytes));
    files.push_back(open.back().get());
  }
  return RpmIndexInspector().inspect(artifact, files).findings;
}

TEST(RpmIndexInspector, TheIndexIsTheOneThatRepomdStates) {
  const auto repomd = "<checksum type=\"sha256\">" + sha256("primary").hex() + "</checksum>";
  EXPECT_TRUE(look_at_index({{"repomd.xml", repomd}, {"repomd.xml.asc", "s"}, {"p.xml.gz", "primary"}}).empty());
  EXPECT_FALSE(look_at_index({{"repomd.xml", repomd}, {"p.xml.gz", "another"}}).empty());
  EXPECT_FALSE(look_at_index({{"repomd.xml", repomd}}).empty());
  EXPECT_FALSE(look_at_index({{"p.xml.gz", "primary"}}).empty());
  EXPECT_FALSE(look_at_index({{"repomd.xml", repomd}, {"p.xml.gz", "primary"}, {"q.xml.gz", "x"}}).empty());
}

bool is_key(const std::string& bytes, const std::string& path) {
  Artifact artifact{.kind = "rpm-key", .name = "x", .version = "1"};
  artifact.files.push_back(file_at(path, bytes));
  const auto fd = file_of(bytes);
  const std::array files = {fd.get()};
  return RpmKeyInspector().inspect(artifact, files).findings.empty();
}

std::string key_path(const std::string& bytes) {
  return "packages/rpm/keys/vendor-" + sha256(bytes).hex().substr(0, 16) + ".asc";
}

TEST(RpmKeyInspector, APrivateKeyIsRefused) {
  for (const auto& [bytes, good] : std::map<std::string, bool>{
           {"-----BEGIN PGP PUBLIC KEY BLOCK-----\n", true},
           {"-----BEGIN PGP PUBLIC KEY BLOCK-----\n-----BEGIN PGP PRIVATE KEY BLOCK-----\n", false},
           {"hello", false}}) {
    EXPECT_EQ(is_key(bytes, key_path(bytes)), good) << bytes;
  }
}

TEST(RpmKeyInspector, AKeyUnderTheNameOfAnotherIsRefused) {
  const std::string key = "-----BEGIN PGP PUBLIC KEY BLOCK-----\nA\n", other = key + "B\n";
  EXPECT_TRUE(is_key(key, key_path(key)));
  EXPECT_FALSE(is_key(other, key_path(key)));
  EXPECT_FALSE(is_key(key, "packages/rpm/keys/vendor.asc"));
  EXPECT_FALSE(is_key(key, "packages/rpm/" + std::string(RelPath::parse(key_path(key)).filename())));
  EXPECT_FALSE(is_key(key, "packages/rpm/keys/-" + sha256(key).hex().substr(0, 16) + ".asc"));
}

}  // namespace
}  // namespace liftlock::rpm
