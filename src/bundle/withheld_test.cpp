// What a scanner's people keep from landing, and what the site's own scanner says of the rest.
#include "bundle/withheld.hpp"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "bundle/channel.hpp"
#include "bundle/delta.hpp"
#include "bundle/ingest_fixture.hpp"
#include "bundle/scan.hpp"

namespace liftlock {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* k_file = "files/hello/hello.txt";

class WithheldTest : public IngestTest {
 protected:
  void withhold(const std::string& where, const std::vector<std::string>& paths, const std::string& owner = "sam") {
    BundleReader bundle(m_folder.path() / where);
    bundle.load_lists();
    Withheld statement{.bundle = bundle.digest(), .creator = "kiosk", .created = k_now, .files = {}};
    for (const auto& file : bundle.files()) {
      if (std::find(paths.begin(), paths.end(), file.path.text()) == paths.end()) continue;
      statement.files.push_back({file.path, file.digest, "infected"});
    }
    put(where, write_withheld(statement), owner);
  }
  void put(const std::string& where, const std::string& text, const std::string& owner = "sam") {
    const auto folder = m_folder.path() / where / k_withheld_folder;
    make_folders(folder / "signatures");
    write_file_atomically(folder / "withheld.json", text);
    const auto signature = signature_by(owner, "scanner", text);
    write_file_atomically(folder / "signatures" / signature.name, signature.bytes);
  }
  void take(const std::string& file) { fs::remove(m_folder.path() / file); }
  std::vector<std::string> landed() {
    std::vector<std::string> out;
    for (const auto& artifact : Catalog(site().catalog_file()).artifacts()) out.push_back(artifact.id());
    return out;
  }
  /// Appends to config.toml.
  void configure(const std::string& text) {
    const auto file = site().folder() / "config.toml";
    write_file_atomically(file, read_file(file, 1 << 20) + text);
  }
  /// A scanner that is a shell script; $1 is the folder that it looks at.
  void scanner(const std::string& script, const std::string& more = "") {
    overwrite("scanner.sh", script + "\n");
    configure(fmt::format("[scan]\ncommand = [\"sh\", \"{}\"]\nversion = [\"echo\", \"looker 1.0\"]\n{}",
                          (m_folder.path() / "scanner.sh").string(), more));
  }
};

TEST_F(WithheldTest, TheRestLandsAndLaterTheWhole) {
  packed("one");
  withhold("one", {k_file});
  const auto file = std::string("one/") + k_file;
  const auto bytes = content(file);
  take(file);
  const auto report = verified("one");
  EXPECT_TRUE(report.problems.empty());
  ASSERT_EQ(report.withheld.size(), 1u);
  const auto result = ingested("one");
  EXPECT_EQ(result.status, IngestResult::Status::published);
  EXPECT_THAT(result.notes, testing::Contains("withheld: files/hello/hello.txt (infected)"));
  EXPECT_THAT(landed(), ElementsAre("file:long@1", "model:tiny@2"));
  EXPECT_FALSE(BlobStore(site().store_folder()).contains(sha256(bytes)));
  EXPECT_EQ(channel_history(AuditLog(site().audit_folder(), ""), "test").withheld.at(1), 1u);
  EXPECT_EQ(ingested("one").status, IngestResult::Status::already_present);

  overwrite(file, bytes);
  fs::remove_all(m_folder.path() / "one" / k_withheld_folder);
  EXPECT_EQ(ingested("one").status, IngestResult::Status::published);
  EXPECT_EQ(landed().size(), 3u);
  EXPECT_TRUE(channel_history(AuditLog(site().audit_folder(), ""), "test").withheld.empty());
  // Nobody takes away by this what landed already.
  withhold("one", {k_file});
  EXPECT_EQ(ingested("one").status, IngestResult::Status::already_present);
  EXPECT_EQ(landed().size(), 3u);
}

TEST_F(WithheldTest, EachStatementBringsWhatItLetsThroughAndTakesNothingAway) {
  const auto long_file = "files/" + std::string(120, 'd') + "/" + std::string(120, 'f');
  const auto withheld_now = [&](const std::vector<std::string>& files) {
    fs::remove_all(m_folder.path() / "one" / k_withheld_folder);
    withhold("one", files);
  };
  const auto in_publication = [&] {
    std::vector<std::string> out;
    const auto publication = Catalog(site().catalog_file()).publication("test", 1);
    for (const auto& artifact : publication->artifacts) out.push_back(artifact.id());
    return out;
  };
  packed("one");
  withheld_now({k_file, long_file});
  ingested("one");
  EXPECT_THAT(in_publication(), ElementsAre("model:tiny@2"));
  withheld_now({k_file, "models/tiny/a.gguf"});  // as many as before, and others
  EXPECT_EQ(ingested("one").status, IngestResult::Status::published);
  EXPECT_THAT(in_publication(), testing::UnorderedElementsAre("file:long@1", "model:tiny@2"));
  EXPECT_EQ(channel_history(AuditLog(site().audit_folder(), ""), "test").withheld.at(1), 1u);
  withheld_now({"models/tiny/a.gguf"});
  EXPECT_EQ(ingested("one").status, IngestResult::Status::published);
  EXPECT_THAT(in_publication(), testing::UnorderedElementsAre("file:hello@1", "file:long@1", "model:tiny@2"));
  EXPECT_TRUE(channel_history(AuditLog(site().audit_folder(), ""), "test").withheld.empty());
  const auto publication = Catalog(site().catalog_file()).publication("test", 1);
  for (const auto& file : publication->other_files)
    EXPECT_FALSE(file.path.is_under(k_withheld_folder)) << "all of it is here: " << file.path.text();
  EXPECT_EQ(ingested("one").status, IngestResult::Status::already_present);
}

TEST_F(WithheldTest, WhatIsWithheldIsNotReadWhateverItIs) {
  packed("one");
  packed("tar", ContentForm::tar, 2);
  overwrite(std::string("one/") + k_file, "something else, and longer");
  withhold("one", {k_file});
  EXPECT_EQ(ingested("one").status, IngestResult::Status::published);
  withhold("tar", {k_file});
  EXPECT_EQ(ingested("tar").status, IngestResult::Status::published);
  EXPECT_THAT(landed(), ElementsAre("file:long@1", "model:tiny@2"));
}

TEST_F(WithheldTest, WhatNeedsItDoesNotLandEither) {
  const auto file = [](const char* path) { return ArtifactFile{RelPath::parse(path), 1, sha256(path), "", {}}; };
  const auto artifact = [&](const char* name, std::vector<std::string> needs, const char* path) {
    return Artifact{
        .kind = "wheel", .name = name, .version = "1", .license = {}, .needs = std::move(needs), .files = {file(path)}};
  };
  const std::vector<Artifact> all{artifact("a", {"wheel:b@1"}, "packages/a"),
                                  artifact("b", {"wheel:c@1"}, "packages/b"),
                                  artifact("c", {"wheel:a@1"}, "packages/c"), artifact("d", {}, "packages/d")};
  const auto landing = judge_landing(all, {RelPath::parse("packages/c")});
  ASSERT_EQ(landing.artifacts.size(), 1u);
  EXPECT_EQ(landing.artifacts[0].name, "d");
  EXPECT_THAT(landing.left, ElementsAre("wheel:a@1: it needs wheel:b@1", "wheel:b@1: it needs wheel:c@1",
                                        "wheel:c@1: 'packages/c' is withheld"));
}

TEST_F(WithheldTest, OnlyAScannerMayAndOnlyOfThisBundle) {
  packed("one");
  withhold("one", {k_file}, "bob");
  EXPECT_EQ(refused("one"), ErrorCode::key_role) << "a builder is no scanner";
  fs::remove_all(m_folder.path() / "one" / k_withheld_folder);
  withhold("one", {k_file});
  fs::remove_all(m_folder.path() / "one" / k_withheld_folder / "signatures");
  EXPECT_EQ(refused("one"), ErrorCode::unsigned_document);
  EXPECT_FALSE(verified("one").problems.empty());

  const auto statement = [&](auto&& edit) {
    Withheld out{.bundle = sha256(content("one/manifest/bundle.json")),
                 .creator = "kiosk",
                 .created = k_now,
                 .files = {{RelPath::parse(k_file), sha256("hello"), "infected"}}};
    edit(out);
    put("one", write_withheld(out));
    return refused("one");
  };
  EXPECT_EQ(statement([](Withheld& w) { w.bundle = sha256("another"); }), ErrorCode::withheld_invalid);
  EXPECT_EQ(statement([](Withheld& w) { w.files[0].digest = sha256("another"); }), ErrorCode::withheld_invalid);
  EXPECT_EQ(statement([](Withheld& w) { w.files[0].path = RelPath::parse("files/none"); }),
            ErrorCode::withheld_invalid);
  EXPECT_EQ(statement([](Withheld& w) {
              w.files[0] = {RelPath::parse("images/index.json"), sha256("{}"), "no artifact's"};
            }),
            ErrorCode::withheld_invalid);
  put("one", "{}");
  EXPECT_EQ(refused("one"), ErrorCode::schema_violation);
  EXPECT_EQ(publications(), 0u);
  overwrite("one/withheld/more.txt", "x");
  EXPECT_EQ(statement([](Withheld&) {}), ErrorCode::extra_file);
  take("one/withheld/more.txt");
  EXPECT_EQ(statement([](Withheld&) {}), std::nullopt);
}

TEST_F(WithheldTest, WhatASiteDoesNotTakeInByKindIsWithheldOrTheBundleIsRefused) {
  const auto config = site().folder() / "config.toml";
  auto text = read_file(config, 1 << 20);
  text.replace(text.find("[policy]"), 8, "[policy]\naccept_kinds = [\"model\", \"wheel\"]");
  write_file_atomically(config, text);
  packed("one");
  EXPECT_EQ(refused("one"), ErrorCode::profile_refused);
  EXPECT_THAT(landed(), testing::IsEmpty());
  const auto accepted = [&](std::vector<std::string> kinds) {
    const auto report = verify_bundle(
        m_folder.path() / "one",
        {.expect = {}, .pinned = std::vector{m_statement}, .when = now(), .accept_kinds = std::move(kinds)},
        silent_reporter());
    return report.problems.empty();
  };
  EXPECT_FALSE(accepted({"model"}));
  EXPECT_TRUE(accepted({"model", "file"}));
  EXPECT_TRUE(accepted({}));
  BundleReader bundle(m_folder.path() / "one");
  bundle.load_lists();
  std::vector<std::string> files;
  for (const auto& file : bundle.files()) {
    if (file.path.text().starts_with("files/")) files.push_back(file.path.text());
  }
  withhold("one", files);
  EXPECT_TRUE(accepted({"model"}));
  ingested("one");
  EXPECT_THAT(landed(), ElementsAre("model:tiny@2"));
}

TEST_F(WithheldTest, NothingLeftIsNothing) {
  packed("one");
  BundleReader bundle(m_folder.path() / "one");
  bundle.load_lists();
  std::vector<std::string> all;
  for (const auto& file : bundle.files()) {
    if (!file.artifacts.empty()) all.push_back(file.path.text());
  }
  withhold("one", all);
  EXPECT_EQ(refused("one"), ErrorCode::scan_found);
}

TEST_F(WithheldTest, StatementsOfAnotherShapeAreRefused) {
  const Withheld good{
      .bundle = sha256("b"),
      .creator = "kiosk",
      .created = k_now,
      .files = {{RelPath::parse("files/a"), sha256("a"), "x"}, {RelPath::parse("files/b"), sha256("b"), "y"}}};
  EXPECT_EQ(write_withheld(parse_withheld(write_withheld(good))), write_withheld(good));
  const auto refuses = [&](const std::function<void(Json&)>& edit) {
    auto json = parse_json(write_withheld(good));
    edit(json);
    return code_of([&] { parse_withheld(dump_json(json)); });
  };
  EXPECT_EQ(refuses([](Json& json) { json["format"] = "liftlock.withheld/2"; }), ErrorCode::too_new);
  EXPECT_EQ(refuses([](Json& json) { json["min_reader"] = 2; }), ErrorCode::too_new);
  EXPECT_EQ(refuses([](Json& json) { json["files"] = Json::array(); }), ErrorCode::schema_violation);
  EXPECT_EQ(refuses([](Json& json) { std::swap(json["files"][0], json["files"][1]); }), ErrorCode::schema_violation);
  EXPECT_EQ(refuses([](Json& json) { json["files"][1] = json["files"][0]; }), ErrorCode::schema_violation);
  EXPECT_EQ(refuses([](Json& json) { json["files"][0]["path"] = "../a"; }), ErrorCode::path_unsafe);
  EXPECT_EQ(refuses([](Json& json) { json["files"][0]["reason"] = std::string(2000, 'x'); }),
            ErrorCode::limit_exceeded);
  EXPECT_EQ(code_of([] { parse_withheld("{\"format\":1,\"format\":2}"); }), ErrorCode::json_duplicate_key);
}

TEST_F(WithheldTest, AScannerThatIsContentIsRecorded) {
  scanner("find \"$1\" -type f | grep -q hello.txt && exit 0; exit 2");
  packed("one");
  const auto result = ingested("one");
  EXPECT_THAT(result.notes, testing::Contains(HasSubstr("scanned 5 files")));
  EXPECT_THAT(result.notes, testing::Contains(HasSubstr("with looker 1.0")));
  const AuditLog log(site().audit_folder(), "");
  const auto entry = log.find_last(k_ingest_event, "test/1");
  ASSERT_TRUE(entry);
  EXPECT_EQ(parse_json(entry->event.detail)["scan"]["scanner"], "looker 1.0");
  EXPECT_FALSE(fs::exists(site().store_folder() / "scan")) << "nothing is left of the view";
}

TEST_F(WithheldTest, AFindingKeepsAllOut) {
  scanner("for f in $(find \"$1\" -name hello.txt); do echo \"$f: Test.Worm FOUND\"; exit 1; done");
  packed("one");
  EXPECT_EQ(refused("one"), ErrorCode::scan_found);
  EXPECT_EQ(publications(), 0u);
  const AuditLog log(site().audit_folder(), "");
  const auto detail = parse_json(log.find_last(k_ingest_event, "test/1")->event.detail);
  EXPECT_EQ(detail["scan"]["found"][0]["path"], k_file);
  EXPECT_EQ(detail["scan"]["found"][0]["name"], "Test.Worm");
  withhold("one", {k_file});
  EXPECT_EQ(ingested("one").status, IngestResult::Status::published) << "the rest is clean";
}

TEST_F(WithheldTest, WhatWasNotLookedAtIsForThePolicy) {
  scanner("for f in $(find \"$1\" -type f); do echo \"$f: Limits.Exceeded.Size FOUND\"; exit 1; done",
          "not_scanned_names = [\"Limits.Exceeded\"]\nmax_file_size = \"100 KiB\"\nskip_kinds = [\"image\"]\n");
  packed("one");
  EXPECT_EQ(refused("one"), ErrorCode::scan_incomplete);
  configure("not_scanned = \"accept\"\n");
  const auto result = ingested("one");
  EXPECT_EQ(result.status, IngestResult::Status::published);
  EXPECT_THAT(result.notes, testing::Contains(HasSubstr("not scanned: models/tiny/a.gguf: larger than")));
  EXPECT_THAT(result.notes, testing::Contains(HasSubstr("Limits.Exceeded.Size")));
}

TEST_F(WithheldTest, EachFileThatWasNotLookedAtIsNamedInTheLog) {
  std::vector<std::pair<std::string, std::string>> files;
  for (int i = 0; i < 250; ++i) files.emplace_back(fmt::format("files/many/{:03}", i), fmt::format("{}", i));
  add("file", "many", "1", files);
  scanner("exit 0", "skip_kinds = [\"file\"]\nnot_scanned = \"accept\"\n");
  packed("one");
  ingested("one");
  std::set<std::string> named;
  std::uint64_t counted = 0, last = 0;
  const AuditLog log(site().audit_folder(), "");
  log.for_each(0, log.size(), [&](const AuditEntry& entry) {
    if (entry.event.subject != "test/1" || entry.event.outcome == Outcome::intent) return true;
    const auto detail = parse_json(entry.event.detail);
    if (entry.event.type == k_ingest_event) counted = detail["scan"]["not_scanned_files"].get<std::uint64_t>();
    last = entry.index;
    EXPECT_LE(entry.event.detail.size(), 60'000u);
    for (const auto& one : (entry.event.type == k_ingest_event ? detail["scan"] : detail)["not_scanned"])
      EXPECT_TRUE(named.insert(one["path"].get<std::string>()).second);
    return true;
  });
  EXPECT_GE(counted, 250u);
  EXPECT_EQ(named.size(), counted);
  EXPECT_EQ(log.find_last(k_ingest_event, "test/1")->index, last) << "they come before the effect";
}

TEST_F(WithheldTest, WhatADeltaLeavesOutIsLookedAtAgain) {
  packed("one");
  ingested("one");
  const auto before = m_artifacts;
  add("file", "more", "1", {{"files/more.txt", "more"}});
  auto made = request("two", ContentForm::tree, 2);
  made.base = base_of_artifacts("bundle", sha256("bundle.json"), before);
  pack(m_store, made, silent_reporter());
  sign_as("bob", "two");
  scanner("for f in $(find \"$1\" -name hello.txt); do echo \"$f: Test.Worm FOUND\"; exit 1; done");
  EXPECT_EQ(refused("two"), ErrorCode::scan_found);
}

TEST_F(WithheldTest, AScannerWhoseVersionFailsStopsTheIngest) {
  overwrite("scanner.sh", "exit 0\n");
  configure(fmt::format("[scan]\ncommand = [\"sh\", \"{}\"]\nversion = [\"false\"]\n",
                        (m_folder.path() / "scanner.sh").string()));
  packed("one");
  EXPECT_EQ(refused("one"), ErrorCode::scan_failed);
}

TEST_F(WithheldTest, WhatKeepsTheScannerFromWorkingIsToldBeforeABundleComes) {
  const auto trouble = [](std::vector<std::string> command, std::vector<std::string> version) {
    ScanConfig config;
    config.command = std::move(command);
    config.version = std::move(version);
    return scanner_trouble(config);
  };
  EXPECT_EQ(scanner_trouble(std::nullopt), "");
  EXPECT_EQ(trouble({"true"}, {"echo", "looker 1.0"}), "");
  EXPECT_THAT(trouble({"true"}, {}), HasSubstr("needs 'version'"));
  EXPECT_THAT(trouble({"true"}, {"false"}), HasSubstr("ended with 1"));
  EXPECT_THAT(trouble({"true"}, {"true"}), HasSubstr("said ''"));
  EXPECT_THAT(trouble({"true"}, {"no-such-program-here", "--version"}), HasSubstr("not installed"));
  EXPECT_THAT(trouble({"no-such-program-here"}, {"echo", "looker 1.0"}), HasSubstr("not installed"));
}

TEST_F(WithheldTest, WithoutAVersionOfTheScannerNothingIsStaged) {
  configure("[scan]\ncommand = [\"true\"]\n");
  packed("one");
  EXPECT_EQ(refused("one"), ErrorCode::config_invalid);
  EXPECT_THAT(Catalog(site().catalog_file()).pins(), testing::IsEmpty());
}

TEST_F(WithheldTest, WhatWasNotLookedAtHidesNoFindingOfAnUnknownPath) {
  scanner(
      "for f in $(find \"$1\" -name hello.txt); do echo \"$f: Limits.Size FOUND\"; done; echo 'x: Worm FOUND'; exit 1",
      "not_scanned_names = [\"Limits\"]\nnot_scanned = \"accept\"\n");
  packed("one");
  EXPECT_EQ(refused("one"), ErrorCode::scan_found);
}

TEST_F(WithheldTest, AScannerThatFailsOrMeddlesStopsTheIngest) {
  packed("one");
  const auto with = [&](const std::string& script) {
    overwrite("scanner.sh", script + "\n");
    return refused("one");
  };
  scanner("exit 2");
  EXPECT_EQ(refused("one"), ErrorCode::scan_failed);
  EXPECT_EQ(with("exit 1"), ErrorCode::scan_found) << "something, and it does not say what";
  EXPECT_EQ(with("find \"$1\" -name hello.txt | sed 's/$/: Test.Worm FOUND/'"), ErrorCode::scan_found)
      << "a pipe lost its status";
  EXPECT_EQ(with("echo 'hello.txt: Test.Worm FOUND'"), ErrorCode::scan_found) << "by another path";
  EXPECT_EQ(with("find \"$1\" -name hello.txt -delete"), ErrorCode::scan_failed);
  EXPECT_EQ(with("f=$(find \"$1\" -name hello.txt); chmod u+w \"$f\"; printf HELLO > \"$f\"; chmod u-w \"$f\""),
            ErrorCode::scan_failed);
  EXPECT_EQ(publications(), 0u);
  EXPECT_EQ(with("exit 0"), std::nullopt) << "what the scanner wrote over was noticed, and staged anew";
  EXPECT_EQ(read_file(BlobStore(site().store_folder()).path(sha256("hello")), 100), "hello");
}

}  // namespace
}  // namespace liftlock
