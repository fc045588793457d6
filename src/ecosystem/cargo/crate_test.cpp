#include "ecosystem/cargo/crate_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <nlohmann/json.hpp>

#include "crypto/hash.hpp"
#include "ecosystem/cargo/crate_name.hpp"
#include "ecosystem/cargo/inspector.hpp"
#include "ecosystem/cargo/sample_crates_test.hpp"
#include "os/file.hpp"

namespace liftlock::cargo {
namespace {

using testing::HasSubstr;

Inspection inspect(const std::string& bytes, const std::string& file = "demo-crate-1.0.0.crate") {
  const UniqueFd fd(::memfd_create("crate", MFD_CLOEXEC));
  write_all(fd.get(), bytes, "memfd");
  Artifact artifact{.kind = "crate", .name = "demo-crate", .version = "1.0.0"};
  artifact.files.push_back({RelPath::parse("packages/cargo/" + file), bytes.size(), sha256(bytes), {}, {}});
  const int files[] = {fd.get()};
  return CrateInspector().inspect(artifact, files);
}

void expect_refused(const std::string& bytes, ErrorCode code, std::string_view word) {
  const auto inspection = inspect(bytes);
  ASSERT_EQ(inspection.findings.size(), 1u) << word;
  EXPECT_EQ(inspection.findings[0].code, code) << inspection.findings[0].message;
  EXPECT_THAT(inspection.findings[0].message, HasSubstr(std::string(word)));
}

std::string demo(std::vector<TestMember> more) {
  return sample::crate("demo-crate", "1.0.0", "", std::move(more));
}

TEST(CrateInspector, AcceptsASoundCrateAndTellsWhatRunsWhileItIsBuilt) {
  const auto inspection =
      inspect(sample::crate("demo-crate", "1.0.0", "build = \"build.rs\"\nlinks = \"z\"\n[lib]\nproc-macro = true\n"));
  ASSERT_TRUE(inspection.findings.empty()) << inspection.findings[0].message;
  EXPECT_EQ(inspection.facts["license"], "MIT OR Apache-2.0");
  EXPECT_EQ(inspection.facts["build_script"], true);
  EXPECT_EQ(inspection.facts["proc_macro"], true);
  EXPECT_EQ(inspection.facts["links"], "z");
  EXPECT_EQ(inspection.facts["files"], 2);
}

TEST(CrateInspector, KnowsEverySpellingOfWhatRunsWhileItIsBuilt) {
  const auto facts = [](const std::string& rest, std::vector<TestMember> more = {}) {
    return inspect(sample::crate("demo-crate", "1.0.0", rest, std::move(more))).facts;
  };
  const TestMember script{"build.rs", "fn main() {}"};
  EXPECT_EQ(facts("", {script})["build_script"], true) << "cargo finds it by its name";
  EXPECT_EQ(facts("build = true\n", {script})["build_script"], true);
  EXPECT_EQ(facts("build = \"other.rs\"\n")["build_script"], true);
  EXPECT_EQ(facts("build = false\n", {script})["build_script"], false);
  EXPECT_EQ(facts("")["build_script"], false);
  EXPECT_EQ(facts("", {{"src/build.rs", "x"}})["build_script"], false);
  for (const auto* library : {"proc-macro = true", "proc_macro = true", "crate-type = [\"proc-macro\"]",
                              "crate_type = [\"proc-macro\"]", "proc-macro = false\nproc_macro = true"}) {
    EXPECT_EQ(facts(std::string("[lib]\n") + library + "\n")["proc_macro"], true) << library;
  }
  EXPECT_EQ(facts("[lib]\ncrate-type = [\"lib\", \"cdylib\"]\n")["proc_macro"], false);
}

TEST(CrateInspector, RefusesAnotherCrateUnderTheName) {
  expect_refused(sample::crate("evil", "1.0.0"), ErrorCode::path_unsafe, "outside of its folder");
  const auto top = std::string("demo-crate-1.0.0/");
  expect_refused(test_archive("ustar", "gzip", {{top + "Cargo.toml", sample::manifest("evil", "1.0.0")}}),
                 ErrorCode::package_malformed, "the crate is of evil 1.0.0");
  expect_refused(test_archive("ustar", "gzip", {{top + "Cargo.toml", sample::manifest("demo-crate", "1.0.1")}}),
                 ErrorCode::package_malformed, "1.0.1");
  expect_refused(test_archive("ustar", "gzip", {{top + "src/lib.rs", ""}}), ErrorCode::package_malformed,
                 "has no demo-crate-1.0.0/Cargo.toml");
  EXPECT_FALSE(inspect(demo({}), "demo-crate-1.0.1.crate").findings.empty());
  EXPECT_FALSE(inspect(demo({}), "demo_crate-1.0.0.crate").findings.empty());
}

TEST(CrateInspector, RefusesWhatWouldLandElsewhere) {
  expect_refused(demo({{"!demo-crate-1.0.0/../x", "x"}}), ErrorCode::path_unsafe, "leaves its folder");
  expect_refused(demo({{"!/etc/passwd", "x"}}), ErrorCode::path_unsafe, "absolute");
  expect_refused(demo({{"a\\..\\b", "x"}}), ErrorCode::path_unsafe, "unsafe name");
  expect_refused(demo({{"!other/x", "x"}}), ErrorCode::path_unsafe, "outside of its folder");
  expect_refused(demo({{"link", "/etc/passwd", S_IFLNK}}), ErrorCode::not_regular, "link");
  expect_refused(demo({{"pipe", "", S_IFIFO}}), ErrorCode::not_regular, "special");
}

TEST(CrateInspector, RefusesTwoTruthsAboutOneName) {
  expect_refused(demo({{"src/lib.rs", "other"}}), ErrorCode::path_collision, "twice");
  expect_refused(demo({{"Cargo.toml", sample::manifest("demo-crate", "1.0.0")}}), ErrorCode::path_collision, "twice");
  expect_refused(demo({{"cargo.TOML", "x"}}), ErrorCode::path_collision, "second Cargo.toml");
  expect_refused(demo({{".cargo-ok", "x"}}), ErrorCode::package_malformed, "cargo writes itself");
}

TEST(CrateInspector, RefusesBytesThatAreNoCrate) {
  expect_refused("", ErrorCode::package_malformed, "no gzipped tar");
  expect_refused(test_archive("ustar", "none", {{"demo-crate-1.0.0/Cargo.toml", "x"}}), ErrorCode::package_malformed,
                 "no gzipped tar");
  expect_refused(test_archive("ustar", "gzip", {{"demo-crate-1.0.0/Cargo.toml", "x = ["}}),
                 ErrorCode::package_malformed, "Cargo.toml line 1");
  const auto bytes = demo({});
  for (std::size_t length = 0; length + 8 < bytes.size(); length += 11) {
    EXPECT_FALSE(inspect(bytes.substr(0, length)).findings.empty()) << length;
  }
}

TEST(CrateInspector, StopsBombs) {
  const std::string zeros(15u << 20, '\0');
  const UniqueFd fd(::memfd_create("crate", MFD_CLOEXEC));
  write_all(fd.get(), demo({{"bomb", zeros}}), "memfd");
  EXPECT_THROW(check_crate(fd.get(), "demo-crate", "1.0.0", {.ratio = 10, .free_size = 1u << 20}), Error);
  EXPECT_THROW(check_crate(fd.get(), "demo-crate", "1.0.0", {.entries = 2}), Error);
  EXPECT_NO_THROW(check_crate(fd.get(), "demo-crate", "1.0.0", {}));
}

TEST(CrateNames, AreThoseOfTheRegistry) {
  for (const auto* good : {"a", "serde", "proc-macro2", "Inflector", "x_y-z9"})
    EXPECT_TRUE(is_crate_name(good)) << good;
  for (const auto* bad : {"", "9lives", "-a", "_a", "a.b", "a/b", "ä", "a b"}) EXPECT_FALSE(is_crate_name(bad)) << bad;
  EXPECT_FALSE(is_crate_name(std::string(65, 'a')));
  for (const auto* good : {"1.0.0", "0.1.0-alpha.1", "1.0.0+build-5.x", "2024.1.1-rc.1+x"})
    EXPECT_TRUE(is_crate_version(good)) << good;
  for (const auto* bad : {"", "1", "1.0", "01.0.0", "1.0.0-", "1.0.0+", "1.0.0/..", "v1.0.0", "1.0.0-a..b", "1.0.0.0"})
    EXPECT_FALSE(is_crate_version(bad)) << bad;
  EXPECT_EQ(collision_key("Foo_Bar-x"), "foo-bar-x");
  EXPECT_EQ(index_path("a"), "1/a");
  EXPECT_EQ(index_path("ab"), "2/ab");
  EXPECT_EQ(index_path("abc"), "3/a/abc");
  EXPECT_EQ(index_path("Inflector"), "in/fl/inflector");
}

constexpr std::string_view k_manifest = R"([package]
name = "demo"
version = "1.2.3"
rust-version = "1.70"
links = "demo_sys"
[dependencies]
plain = "1"
[dependencies.serde_one]
version = "^1.0.5"
package = "serde"
features = ["derive"]
optional = true
default-features = false
[dependencies.elsewhere]
version = "2"
registry-index = "sparse+https://other.example/index/"
[build-dependencies]
cc = { version = "1" }
[dev-dependencies.local-only]
path = "../x"
[dev-dependencies]
rand = "0.8"
[target.'cfg(windows)'.dependencies.win]
version = "0.52"
[features]
default = ["std"]
std = []
ser = ["dep:serde_one"]
weak = ["serde_one?/std"]
)";

TEST(IndexLine, SaysWhatTheManifestSays) {
  const auto line = Json::parse(index_line(parse_manifest(k_manifest), sha256("x"), {}));
  EXPECT_EQ(line["name"], "demo");
  EXPECT_EQ(line["vers"], "1.2.3");
  EXPECT_EQ(line["cksum"], sha256("x").hex());
  EXPECT_EQ(line["yanked"], false);
  EXPECT_EQ(line["links"], "demo_sys");
  EXPECT_EQ(line["rust_version"], "1.70");
  EXPECT_EQ(line["v"], 2);
  EXPECT_EQ(line["features"], (Json{{"default", {"std"}}, {"std", Json::array()}}));
  EXPECT_EQ(line["features2"], (Json{{"ser", {"dep:serde_one"}}, {"weak", {"serde_one?/std"}}}));
  std::map<std::string, Json> deps;
  for (const auto& dep : line["deps"]) deps[dep["name"].get<std::string>()] = dep;
  ASSERT_EQ(deps.size(), 6u) << "the path for tests is in no registry";
  EXPECT_EQ(deps["plain"], (Json{{"name", "plain"},
                                 {"req", "1"},
                                 {"features", Json::array()},
                                 {"optional", false},
                                 {"default_features", true},
                                 {"target", nullptr},
                                 {"kind", "normal"},
                                 {"registry", nullptr}}));
  EXPECT_EQ(deps["serde_one"]["package"], "serde");
  EXPECT_EQ(deps["serde_one"]["optional"], true);
  EXPECT_EQ(deps["serde_one"]["default_features"], false);
  EXPECT_EQ(deps["elsewhere"]["registry"], "sparse+https://other.example/index/");
  EXPECT_EQ(deps["cc"]["kind"], "build");
  EXPECT_EQ(deps["rand"]["kind"], "dev");
  EXPECT_EQ(deps["win"]["target"], "cfg(windows)");
}

TEST(IndexLine, IsTheSameFromWhatTheInspectorKept) {
  const auto manifest = parse_manifest(k_manifest);
  const auto kept = manifest_from_facts(parse_json(dump_json_line(index_facts(manifest))), "demo", "1.2.3");
  const IndexOrigin origin{.registry = "sparse+https://other.example/index/",
                           .default_registry = "registry+https://git.example/rust-lang/crates-io-index"};
  EXPECT_EQ(index_line(kept, sha256("x"), {}), index_line(manifest, sha256("x"), {}));
  EXPECT_EQ(index_line(kept, sha256("x"), origin), index_line(manifest, sha256("x"), origin));
  for (const auto* bad : {"{}", R"({"deps": 1, "features": {}})", R"({"deps": [{}], "features": {}})",
                          R"({"deps": [], "features": {"x": 1}})",
                          R"({"deps": [{"name": "a", "req": "1", "optional": 1}], "features": {}})"}) {
    EXPECT_THROW(manifest_from_facts(parse_json(bad), "demo", "1.2.3"), Error) << bad;
  }
}

TEST(IndexLine, NamesRegistriesAsSeenFromTheCratesOwn) {
  const IndexOrigin origin{.registry = "sparse+https://other.example/index/",
                           .default_registry = "registry+https://git.example/rust-lang/crates-io-index"};
  const auto line = Json::parse(index_line(parse_manifest(k_manifest), sha256("x"), origin));
  for (const auto& dep : line["deps"]) {
    if (dep["name"] == "elsewhere") {
      EXPECT_EQ(dep["registry"], nullptr);
    } else {
      EXPECT_EQ(dep["registry"], "https://git.example/rust-lang/crates-io-index");
    }
  }
}

TEST(Manifest, RefusesWhatCargoWouldNotTake) {
  for (const auto* text :
       {"", "[package]\n", "[package]\nname = 1\nversion = \"1.0.0\"", "[package]\nname = \"a\"\nversion = \"1\"",
        "[package]\nname = \"../a\"\nversion = \"1.0.0\"", "package = []",
        "[package]\nname = \"a\"\nversion.workspace = true",
        "[package]\nname = \"a\"\nversion = \"1.0.0\"\n[dependencies]\nx = 5",
        "[package]\nname = \"a\"\nversion = \"1.0.0\"\n[dependencies.x]\nversion = \"1\"\npackage = \"../y\"",
        "[package]\nname = \"a\"\nversion = \"1.0.0\"\n[features]\nx = \"y\""}) {
    EXPECT_THROW(parse_manifest(text), Error) << text;
  }
  EXPECT_NO_THROW(
      parse_manifest("[project]\nname = \"a\"\nversion = \"1.0.0\"\n[dependencies.x]\ngit = \"https://x.example\"\n"));
}

}  // namespace
}  // namespace liftlock::cargo
