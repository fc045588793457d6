// A whole bundle before a guard.
#include "guard/guard.hpp"
#include "bundle/guarded_bundle.hpp"

#include <gmock/gmock.h>

#include "archive/archive_fixture.hpp"
#include "bundle/bundle_fixture.hpp"
#include "os/process.hpp"

namespace liftlock {
namespace {

using namespace std::string_literals;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

class GuardTest : public BundleTest {
 protected:
  static std::string in_process(const std::string& request, int fd) { return answer_inside_request(request, fd); }

  static GuardProfile profile(std::set<ContentType> types) {
    GuardProfile out;
    out.name = "test";
    out.types = std::move(types);
    return out;
  }
  /// What our own files are, and the content of the fixture.
  static GuardProfile plain() { return profile({ContentType::text, ContentType::json, ContentType::empty}); }

  /// Packs, unless it breaks a rule; "rule path" of each breach.
  std::vector<std::string> breaches(const GuardProfile& rules, ContentForm form = ContentForm::tree) {
    Guard guard(rules, &in_process);
    auto made = request("guarded", form);
    std::vector<std::string> out;
    made.judge = [&](const auto& files) {
      m_report = guard.judge(files);
      for (const auto& one : m_report.breaches) out.push_back(std::string(name(one.rule)) + " " + one.path);
      if (m_report.count > 0) fail(ErrorCode::profile_refused, "refused");
    };
    fs::remove_all(made.output);
    if (code_of([&] { pack(m_store, made, silent_reporter()); }) == ErrorCode::profile_refused) {
      EXPECT_FALSE(fs::exists(made.output));
      EXPECT_FALSE(fs::exists(made.output.string() + ".partial"));
      EXPECT_FALSE(fs::exists(made.output.string() + ".lock"));
    }
    return out;
  }

  GuardReport m_report;
};

TEST_F(GuardTest, LetsPassWhatTheProfileAllows) {
  EXPECT_THAT(breaches(plain()), IsEmpty());
  EXPECT_TRUE(fs::exists(m_folder.path() / "guarded/manifest/bundle.json"));
}

TEST_F(GuardTest, OurOwnFilesAreJudgedToo) {
  EXPECT_THAT(breaches(profile({ContentType::text, ContentType::empty})),
              UnorderedElementsAre("type guarded/manifest/bundle.json", "type guarded/manifest/files.jsonl",
                                   "type guarded/manifest/artifacts.jsonl", "type guarded/manifest/sbom.cdx.json",
                                   "type guarded/manifest/sbom.spdx.json", "type guarded/manifest/trust/1.root.json",
                                   "type guarded/images/index.json",
                                   "type guarded/signatures/builder.0123456789abcdef.sigstore.json"));
  EXPECT_THAT(breaches(profile({ContentType::json, ContentType::empty})),
              AllOf(Contains("type guarded/README.txt"), Contains("type guarded/checksums.txt"),
                    Contains("type guarded/files/hello/hello.txt")));
}

TEST_F(GuardTest, EveryFileThatBreaksARuleIsNamedWithIt) {
  add("file", "spoof", "1", {{"files/spoof/readme.txt", "MZ\x90\0 is no text"s + std::string(1, '\0')}});
  add("file", "odd", "1", {{"files/odd/a b,c.txt", "words"}});
  auto rules = plain();
  rules.max_file_size = 1u << 19;
  rules.max_name_length = 100;
  rules.max_path_length = 200;
  rules.max_depth = 3;
  rules.name_characters = parse_characters("A-Za-z0-9._-").value();
  const auto long_path = "guarded/files/" + std::string(120, 'd') + "/" + std::string(120, 'f');
  EXPECT_THAT(breaches(rules),
              UnorderedElementsAre("type guarded/files/spoof/readme.txt", "file-size guarded/models/tiny/a.gguf",
                                   "name-length " + long_path, "path-length " + long_path,
                                   "name-characters guarded/files/odd/a b,c.txt"));
  rules = plain();
  rules.types.insert(ContentType::unknown);
  rules.max_depth = 2;
  rules.max_files = 14;
  rules.max_bundle_size = 1u << 20;
  EXPECT_THAT(breaches(rules),
              AllOf(Contains("bundle-size "), Contains("file-count "), Contains("depth guarded/files/hello/hello.txt"),
                    Not(Contains("depth guarded/manifest/bundle.json"))));
  EXPECT_THAT(m_report.breaches.at(0).message, HasSubstr("1048576 are allowed"));
}

TEST_F(GuardTest, TheFolderOfTheBundleIsPartOfThePath) {
  auto rules = plain();
  rules.name_characters = parse_characters("A-Za-z0-9._-").value();
  Guard guard(rules, &in_process);
  auto made = request("a bundle");
  GuardReport report;
  made.judge = [&](const auto& files) { report = guard.judge(files); };
  pack(m_store, made, silent_reporter());
  EXPECT_EQ(report.count, report.files.size() + 1) << "the signature to come as well";
}

TEST_F(GuardTest, ArchivesAreOpenedOnlyWhereNestingIsLimited) {
  const auto zip = test_archive("zip", "none", {{"run.sh", "#!/bin/sh\n"}});
  add("file", "zip", "1", {{"files/zip/tool.txt", zip}});
  add("file", "again", "1", {{"files/again/tool.txt", zip}});
  auto rules = plain();
  rules.types.insert(ContentType::zip);
  EXPECT_THAT(breaches(rules), IsEmpty());
  rules.unpack = UnpackRules{.max_nesting = 1, .types = rules.types};
  EXPECT_THAT(breaches(rules), ElementsAre("nested-type guarded/files/again/tool.txt!run.sh",
                                           "nested-type guarded/files/zip/tool.txt!run.sh"))
      << "the same bytes at each of their places";
  rules.unpack->max_nesting = 0;
  EXPECT_THAT(breaches(rules),
              ElementsAre("nesting guarded/files/again/tool.txt", "nesting guarded/files/zip/tool.txt"));
  rules.unpack = UnpackRules{.max_nesting = 1, .types = {ContentType::script}};
  EXPECT_THAT(breaches(rules), IsEmpty());
}

TEST_F(GuardTest, OfATarOnlyTheTarIsAFileUnlessItIsUnpacked) {
  add("file", "odd", "1", {{"files/odd/a b,c.txt", "#!/bin/sh\n"}});
  auto rules = plain();
  EXPECT_THAT(breaches(rules, ContentForm::tar), ElementsAre("type guarded/content.tar"));
  rules.types.insert(ContentType::tar);
  rules.max_depth = 3;
  rules.max_files = 10;
  rules.name_characters = parse_characters("A-Za-z0-9._-").value();
  EXPECT_THAT(breaches(rules, ContentForm::tar), IsEmpty()) << "names in the tar are not those of files";
  rules.unpack = UnpackRules{.max_nesting = 1, .types = {ContentType::text, ContentType::json, ContentType::empty}};
  EXPECT_THAT(breaches(rules, ContentForm::tar), ElementsAre("nested-type guarded/content.tar!files/odd/a b,c.txt"));
  rules.unpack->types.insert(ContentType::script);
  EXPECT_THAT(breaches(rules, ContentForm::tar), IsEmpty());
  add("file", "zip", "1", {{"files/zip/z", test_archive("zip", "none", {{"a", "words"}})}});
  rules.unpack->types.insert(ContentType::zip);
  EXPECT_THAT(breaches(rules, ContentForm::tar), ElementsAre("nesting guarded/content.tar!files/zip/z"));
  rules.unpack->max_nesting = 2;
  EXPECT_THAT(breaches(rules, ContentForm::tar), IsEmpty());
  rules.unpack->max_files = 6;
  EXPECT_THAT(breaches(rules, ContentForm::tar), ElementsAre("unpacked-count content.tar"));
  rules.unpack->max_nesting = 0;
  EXPECT_THAT(breaches(rules, ContentForm::tar), Contains("nesting guarded/content.tar"));
}

TEST_F(GuardTest, OfADeltaOnlyWhatItCarriesIsJudged) {
  const auto before = m_artifacts;
  add("file", "more", "1", {{"files/more.txt", "more"}});
  auto rules = plain();
  rules.max_file_size = 100'000;
  EXPECT_THAT(breaches(rules), ElementsAre("file-size guarded/models/tiny/a.gguf"));
  Guard guard(rules, &in_process);
  auto made = request("delta", ContentForm::tree, 2);
  made.base = base_of_artifacts("bundle", sha256("bundle.json"), before);
  GuardReport report;
  made.judge = [&](const auto& files) { report = guard.judge(files); };
  pack(m_store, made, silent_reporter());
  EXPECT_EQ(report.count, 0u);
  EXPECT_THAT(write_sha256_list(guard.judge(files_of_bundle(made.output))), HasSubstr("delta/files/more.txt"));
}

TEST_F(GuardTest, ACrashOfTheCellIsABreachOfTheFile) {
  add("file", "zip", "1", {{"files/zip/z", test_archive("zip", "none", {{"a", "words"}})}});
  auto rules = plain();
  rules.types.insert(ContentType::zip);
  rules.unpack = UnpackRules{.max_nesting = 1, .types = rules.types};
  Guard guard(rules, [](const std::string&, int) -> std::string { fail(ErrorCode::inspection_failed, "it crashed"); });
  auto made = request("crash");
  GuardReport report;
  made.judge = [&](const auto& files) { report = guard.judge(files); };
  pack(m_store, made, silent_reporter());
  ASSERT_EQ(report.count, 1u);
  EXPECT_EQ(report.breaches[0], (Breach{GuardRule::unreadable, "crash/files/zip/z", "it crashed"}));
}

TEST_F(GuardTest, TheListIsBoundedAndTheCountIsNot) {
  std::vector<std::pair<std::string, std::string>> many;
  for (unsigned i = 0; i < GuardReport::k_most + 100; ++i) many.push_back({"files/many/" + std::to_string(i), "#!x"});
  add("file", "many", "1", many);
  EXPECT_EQ(breaches(plain()).size(), GuardReport::k_most);
  EXPECT_EQ(m_report.count, many.size());
}

TEST_F(GuardTest, CoreutilsCheckTheListAndTheTableSaysTheSame) {
  for (const auto form : {ContentForm::tree, ContentForm::tar}) {
    const std::string where = form == ContentForm::tree ? "tree" : "tar";
    packed(where, form);
    auto rules = plain();
    rules.types.insert(ContentType::tar);
    Guard guard(rules, &in_process);
    const auto report = guard.judge(files_of_bundle(m_folder.path() / where));
    EXPECT_EQ(report.count, 0u);
    write_guard_lists(m_folder.path() / where, report);
    const auto list = where + ".sha256";
    const auto check = [&] {
      return run_process(
          {.argv = {"sha256sum", "--check", "--strict", "--quiet", list}, .working_folder = m_folder.path()});
    };
    EXPECT_EQ(check().status, 0) << check().output;
    const auto found = run_process({.argv = {"find", where, "-type", "f"}, .working_folder = m_folder.path()});
    EXPECT_EQ(std::count(found.output.begin(), found.output.end(), '\n'), report.files.size())
        << "no file is missing in it";
    EXPECT_THAT(content(list), HasSubstr(where + "/signatures/builder."));
    EXPECT_THAT(content(where + ".csv"), testing::StartsWith("path,size,type,sha256\r\n\"" + where + "/README.txt\","));
    flip(where + "/README.txt", 3);
    EXPECT_NE(check().status, 0);
  }
}

TEST_F(GuardTest, ASpreadsheetComputesNothing) {
  GuardReport report;
  report.files = {{"=cmd \"x\"/a,b", 5, ContentType::text, sha256("hello")}};
  EXPECT_EQ(write_csv_list(report),
            "path,size,type,sha256\r\n\"'=cmd \"\"x\"\"/a,b\",5,text," + sha256("hello").hex() + "\r\n");
}

}  // namespace
}  // namespace liftlock
