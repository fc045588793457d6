#include "ecosystem/cargo/vendor_tree.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <nlohmann/json.hpp>

#include "ecosystem/cargo/inspector.hpp"
#include "ecosystem/cargo/sample_crates_test.hpp"
#include "os/file.hpp"

namespace liftlock::cargo {
namespace {

using testing::HasSubstr;

constexpr std::string_view k_sum = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const std::string k_lock =
    "version = 4\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\ndependencies = [\"demo\"]\n"
    "[[package]]\nname = \"demo\"\nversion = \"1.0.0\"\nsource = \"registry+https://one.example/index\"\n"
    "checksum = \"" +
    std::string(k_sum) + "\"\n";

/// vendor/demo as cargo makes it.
std::vector<TestMember> tree() {
  const auto manifest = sample::manifest("demo", "1.0.0");
  const Json checksums = {{"files", {{"Cargo.toml", sha256(manifest).hex()}, {"src/lib.rs", sha256("one").hex()}}},
                          {"package", k_sum}};
  return {{"demo/.cargo-checksum.json", checksums.dump()}, {"demo/Cargo.toml", manifest}, {"demo/src/lib.rs", "one"}};
}

VendorReport check(const std::vector<TestMember>& members, const std::string& lock = k_lock) {
  const TemporaryFolder folder;
  for (const auto& member : members) {
    fs::create_directories((folder.path() / member.path).parent_path());
    if (member.type == S_IFLNK) {
      fs::create_symlink(member.content, folder.path() / member.path);
    } else {
      write_file_atomically(folder.path() / member.path, member.content);
    }
  }
  return check_vendor_folder(folder.path(), parse_lock_file(lock));
}

void expect_problem(const std::vector<TestMember>& members, ErrorCode code, std::string_view crate,
                    std::string_view word, const std::string& lock = k_lock) {
  const auto report = check(members, lock);
  ASSERT_FALSE(report.problems.empty()) << word;
  EXPECT_EQ(report.problems[0].code, code) << report.problems[0].message;
  EXPECT_EQ(report.problems[0].crate, crate);
  EXPECT_THAT(report.problems[0].message, HasSubstr(std::string(word)));
}

TEST(VendorTree, IsWhatTheLockNames) {
  const auto report = check(tree());
  ASSERT_TRUE(report.problems.empty()) << report.problems[0].message;
  EXPECT_EQ(report.crates, 1u);
  EXPECT_EQ(report.files, 3u);
}

TEST(VendorTree, NamesWhatWasChangedIsMissingOrExtra) {
  auto members = tree();
  members[2].content = "two";
  expect_problem(members, ErrorCode::digest_mismatch, "demo 1.0.0", "'src/lib.rs' was changed");
  members = tree();
  members.pop_back();
  expect_problem(members, ErrorCode::missing_file, "demo 1.0.0", "'src/lib.rs' is missing");
  members = tree();
  members.push_back({"demo/build.rs", "fn main() {}"});
  expect_problem(members, ErrorCode::extra_file, "demo 1.0.0", "'build.rs' is not in");
  members = tree();
  members.push_back({"note.txt", "x"});
  expect_problem(members, ErrorCode::extra_file, "note.txt", "belongs to no crate");
  members = tree();
  members.push_back({"demo/link", "/etc/passwd", S_IFLNK});
  EXPECT_EQ(check(members).problems.back().code, ErrorCode::not_regular);
}

TEST(VendorTree, NamesCratesThatAreMissingExtraOrOthers) {
  expect_problem({{"x/y", ""}}, ErrorCode::missing_file, "demo 1.0.0", "the tree lacks it");
  auto members = tree();
  for (const auto& member : tree()) members.push_back({"copy/" + member.path.substr(5), member.content});
  expect_problem(members, ErrorCode::extra_file, "demo", "is there twice");
  auto lock = k_lock;
  lock.replace(lock.find(k_sum), k_sum.size(), std::string(64, 'b'));
  expect_problem(tree(), ErrorCode::digest_mismatch, "demo 1.0.0", "Cargo.lock wants bbbb", lock);
  members = tree();
  members[0].content = "{\"files\": []}";
  expect_problem(members, ErrorCode::package_malformed, "demo", "files");
  members[0].content = "{\"files\": {}, \"package\": null}";
  expect_problem(members, ErrorCode::digest_mismatch, "demo 1.0.0", "of git");
}

TEST(VendorTree, SaysWhichCratesNobodyVouchesFor) {
  auto lock = k_lock;
  const auto at = lock.find("source = ");
  lock = lock.substr(0, at) + "source = \"git+https://x.example/demo#01\"\n";
  EXPECT_THAT(check(tree(), lock).unproven, testing::ElementsAre("demo 1.0.0"));
}

Inspection inspect(const std::vector<TestMember>& members, const Json& facts = Json::object()) {
  const auto bytes = test_archive("ustar", "none", members);
  const UniqueFd fd(::memfd_create("tree", MFD_CLOEXEC));
  write_all(fd.get(), bytes, "memfd");
  Artifact artifact{.kind = "cargo-vendor", .name = "app", .version = "1"};
  artifact.facts = facts;
  artifact.files.push_back({RelPath::parse("packages/cargo/app-vendor.tar"), bytes.size(), sha256(bytes), {}, {}});
  const int files[] = {fd.get()};
  return CrateInspector().inspect(artifact, files);
}

std::vector<TestMember> archive(std::vector<TestMember> more = {}) {
  std::vector<TestMember> out = {{"Cargo.lock", k_lock}};
  for (const auto& member : tree()) out.push_back({"vendor/" + member.path, member.content});
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

TEST(VendorArchive, IsJudgedByTheLockInIt) {
  const auto good = inspect(archive());
  ASSERT_TRUE(good.findings.empty()) << good.findings[0].message;
  EXPECT_EQ(good.facts["crates"], 1);
  const auto code_of = [](const std::vector<TestMember>& members) {
    const auto inspection = inspect(members);
    return inspection.findings.empty() ? ErrorCode::internal : inspection.findings[0].code;
  };
  EXPECT_EQ(code_of(archive({{"vendor/demo/build.rs", "x"}})), ErrorCode::extra_file);
  EXPECT_EQ(code_of(archive({{"other/x", "x"}})), ErrorCode::package_malformed);
  EXPECT_EQ(code_of(archive({{"vendor/../x", "x"}})), ErrorCode::path_unsafe);
  EXPECT_EQ(code_of(archive({{"vendor/demo/l", "/etc", S_IFLNK}})), ErrorCode::not_regular);
  EXPECT_EQ(code_of({{"vendor/demo/x", "x"}}), ErrorCode::package_malformed) << "no lock";
  EXPECT_EQ(code_of({{"Cargo.lock", "version = 9"}}), ErrorCode::package_malformed);
}

TEST(VendorArchive, WithoutALockIsJudgedByItsOwnLists) {
  const Json none = {{"lock", false}};
  auto members = archive();
  EXPECT_EQ(inspect(members, none).findings.at(0).code, ErrorCode::package_malformed) << "there is one after all";
  members.erase(members.begin());
  const auto good = inspect(members, none);
  ASSERT_TRUE(good.findings.empty()) << good.findings[0].message;
  EXPECT_EQ(good.facts["crates"], 1);
  EXPECT_EQ(good.facts["lock"], false);
  EXPECT_FALSE(good.facts.contains("from_git"));
  EXPECT_FALSE(inspect(members).findings.empty()) << "nothing said that the lock is left out";
  members.push_back({"vendor/demo/build.rs", "x"});
  EXPECT_EQ(inspect(members, none).findings.at(0).code, ErrorCode::extra_file);
  members.pop_back();
  for (const auto& member : tree()) members.push_back({"vendor/copy/" + member.path.substr(5), member.content});
  EXPECT_EQ(inspect(members, none).findings.at(0).code, ErrorCode::extra_file);
}

}  // namespace
}  // namespace liftlock::cargo
