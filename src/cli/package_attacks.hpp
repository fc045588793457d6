// For tests: known attacks on Maven artifacts, charts, RPM packages and git repositories, byte by byte.
#pragma once

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/attack_case.hpp"
#include "cli/attack_files.hpp"
#include "ecosystem/git/sample_bundle_test.hpp"
#include "ecosystem/oci/sample_image_test.hpp"
#include "ecosystem/rpm/test_rpms.hpp"

namespace liftlock::attack {

inline const std::string k_maven_folder = "packages/maven/example/test/demo/1.0/";

/// A file of example.test:demo 1.0, called demo-1.0ENDING.
inline Attack maven_file(const std::string& name, ErrorCode code, const std::string& ending, std::string bytes,
                         std::string word = "") {
  return {name, code, "maven", {{k_maven_folder + "demo-1.0" + ending, std::move(bytes)}}, std::move(word)};
}
inline std::string coordinates(const std::string& group, const std::string& artifact, const std::string& version) {
  return "<groupId>" + group + "</groupId><artifactId>" + artifact + "</artifactId><version>" + version + "</version>";
}
inline std::string pom(const std::string& more, const std::string& before = "") {
  return before + "<project xmlns=\"http://maven.apache.org/POM/4.0.0\">" + more + "</project>";
}
inline std::string laughs() {
  std::string out = "<!DOCTYPE project [<!ENTITY l0 \"ha\">";
  for (int i = 1; i <= 30; ++i) out += fmt::format("<!ENTITY l{0} \"&l{1};&l{1};\">", i, i - 1);
  return out + "]>";
}

inline std::vector<Attack> maven_artifacts() {
  const auto malformed = ErrorCode::package_malformed;
  const auto own = coordinates("example.test", "demo", "1.0");
  const auto lies = [&](const std::string& name, const std::string& text, std::string word) {
    return maven_file(name, malformed, ".pom", pom(text), std::move(word));
  };
  auto leaves =
      maven_file("Maven coordinates that leave the repository", malformed, ".pom", pom(own), "no coordinates");
  leaves.called = "..:demo";
  return {
      lies("Maven POM of another group", coordinates("evil.test", "demo", "1.0"), "groupId 'evil.test'"),
      lies("Maven POM of another artifact", coordinates("example.test", "dem0", "1.0"), "artifactId 'dem0'"),
      lies("Maven POM of another version", coordinates("example.test", "demo", "6.6"), "version '6.6'"),
      lies("Maven POM with a path for a group", coordinates("../../evil", "demo", "1.0"), "groupId '../../evil'"),
      lies("Maven POM with its version twice", own + "<version>6.6</version>", "twice"),
      maven_file("Maven POM of a billion laughs", malformed, ".pom", pom(own + "<name>&l30;</name>", laughs()),
                 "document type"),
      maven_file("Maven POM with an external entity", malformed, ".pom",
                 pom(own + "<name>&f;</name>", "<!DOCTYPE project [<!ENTITY f SYSTEM \"file:///etc/passwd\">]>"),
                 "document type"),
      maven_file("Maven POM with its document type elsewhere", malformed, ".pom",
                 pom(own, "<!DOCTYPE project SYSTEM \"http://evil.test/x.dtd\">"), "document type"),
      later("Maven POM nested without end", ErrorCode::limit_exceeded,
            [=] {
              std::string deep;
              for (int i = 0; i < 1'000'000; ++i) deep += "<a>";
              return maven_file("", ErrorCode::limit_exceeded, ".pom", pom(own + deep), "nested");
            }),
      later("Maven POM with a tag without end", ErrorCode::limit_exceeded,
            [=] {
              return maven_file("", ErrorCode::limit_exceeded, ".pom", "<project " + std::string(6u << 20, ' ') + "/>",
                                "a tag or a comment");
            }),
      later("Maven POM that is too large", ErrorCode::limit_exceeded,
            [=] { return maven_file("", ErrorCode::limit_exceeded, ".pom", pom(own + std::string(9u << 20, ' '))); }),
      maven_file("Maven POM that is a page", malformed, ".pom", "<html><body>404</body></html>", "no POM"),
      maven_file("Maven jar that is no zip", malformed, ".jar", "<html>404</html>", "no zip"),
      maven_file("Maven jar that was cut off", malformed, ".jar", zip({{"a", "words"}}).substr(0, 40), "no zip"),
      maven_file("Maven checksum that lies", malformed, ".jar.sha1", std::string(40, '0'), "checksums"),
      maven_file("Maven file of another version", malformed, "", "words", "does not lie"),
      leaves,
  };
}

/// The chart demo 1.0.0.
inline Attack chart(const std::string& name, ErrorCode code, const std::string& entries, std::string word = "") {
  return {name, code, "chart", {{"charts/demo-1.0.0.tgz", oci::sample::gzip(entries + tar_end())}}, std::move(word)};
}

inline std::vector<Attack> charts() {
  const auto malformed = ErrorCode::package_malformed;
  const std::string text = "apiVersion: v2\nname: demo\nversion: 1.0.0\n";
  const auto yaml = [](const std::string& content) { return tar_file("demo/Chart.yaml", content); };
  const auto good = yaml(text);
  std::string anchors = text + "a0: &a0 [x, x]\n";
  for (int i = 1; i < 30; ++i) anchors += fmt::format("a{0}: &a{0} [*a{1}, *a{1}]\n", i, i - 1);
  auto lying = chart("chart facts that the archive does not have", malformed, good, "fact");
  lying.facts = {{"chart", {{"name", "demo"}, {"version", "1.0.0"}, {"type", "library"}}}, {"files", 1}};
  return {
      chart("chart of another name", malformed, yaml("apiVersion: v2\nname: dem0\nversion: 1.0.0\n")),
      chart("chart of another version", malformed, yaml("apiVersion: v2\nname: demo\nversion: 6.6.6\n")),
      chart("chart with a key twice", ErrorCode::json_duplicate_key, yaml(text + "version: 6.6.6\n")),
      chart("chart YAML that unfolds", malformed, yaml(anchors), "anchors"),
      chart("chart YAML nested without end", ErrorCode::limit_exceeded, yaml(text + "a: " + std::string(1000, '['))),
      chart("chart second Chart.yaml", ErrorCode::path_collision, good + yaml(text)),
      chart("chart slip", ErrorCode::path_unsafe, good + tar_file("demo/../../x", "evil")),
      chart("chart file beside its folder", ErrorCode::path_unsafe, good + tar_file("other/x", "evil")),
      chart("chart symlink", ErrorCode::not_regular, good + tar_file("demo/templates/l", "", '2', "/etc/passwd")),
      chart("chart file through a hard link", ErrorCode::not_regular,
            good + tar_file("demo/l", "", '1', "/etc/shadow")),
      chart("chart that needs what it does not bring", malformed,
            yaml(text + "dependencies: [{name: redis, version: '1', repository: 'https://evil.test'}]\n"), "redis"),
      later("chart bomb", ErrorCode::limit_exceeded,
            [good] {
              return chart("", ErrorCode::limit_exceeded, good + tar_file("demo/z", std::string(120u << 20, '\0')));
            }),
      lying,
  };
}

/// The package demo 1.0-1.
inline Attack rpm_package(const std::string& name, ErrorCode code, const rpm::testing_support::TestRpm& rpm,
                          std::string word = "") {
  Attack out{name, code, "rpm", {{"packages/rpm/demo-1.0-1.noarch.rpm", rpm.bytes()}}, std::move(word)};
  out.facts = {{"architecture", "noarch"}};
  return out;
}

inline std::vector<Attack> rpms() {
  using namespace rpm::testing_support;  // NOLINT(google-build-using-namespace): builders of this one thing
  const auto malformed = ErrorCode::package_malformed;
  const TestRpm good{.name = "demo"};
  const auto with_file = [&](const std::string& folder, std::uint32_t mode) {
    auto out = good;
    out.files = {{folder, "x"}};
    out.modes = {mode};
    return out;
  };
  auto older = good;
  older.version = "0.9";
  auto other_payload = good;
  other_payload.payload_digest = std::string(64, '0');
  auto source = good;
  source.more = {{.tag = 1044, .type = 6, .count = 0, .data = {}}};
  auto of_vendor = rpm_package("RPM of another vendor", malformed, good, "vendor");
  of_vendor.facts["vendor"] = "Red Hat, Inc.";
  auto huge = rpm_package("RPM header of gigabytes", ErrorCode::limit_exceeded, good);
  const auto start = huge.files[0].second.rfind("\x8e\xad\xe8\x01");
  huge.files[0].second.replace(start + 12, 4, "\x7f\xff\xff\xff");
  auto padded = rpm_package("RPM with something behind", malformed, good);
  padded.files[0].second += "more";
  return {
      rpm_package("RPM of another name", malformed, TestRpm{.name = "dem0"}, "dem0"),
      rpm_package("RPM of another version", malformed, older, "0.9-1"),
      of_vendor,
      rpm_package("RPM slip", ErrorCode::path_unsafe, with_file("/usr/../etc/", 0100644), "traverses"),
      rpm_package("RPM relative path", ErrorCode::path_unsafe, with_file("etc/", 0100644), "relative"),
      rpm_package("RPM device", malformed, with_file("/dev/", 0060600), "device"),
      rpm_package("RPM with another payload", malformed, other_payload, "payload"),
      rpm_package("RPM source package", malformed, source, "source"),
      huge,
      padded,
      later("RPM that fills the mirror's lists", ErrorCode::limit_exceeded,
            [=] {
              auto out = good;
              out.more = {text_entry(1005, std::string(12u << 20, '"'))};
              return rpm_package("", ErrorCode::limit_exceeded, out, "lists");
            }),
  };
}

/// A repository with one commit, of these objects besides.
inline Attack repository(const std::string& name, ErrorCode code, const std::string& tree,
                         const std::function<void(git::sample::Pack&)>& more = {}, std::string word = "") {
  git::sample::Pack pack;
  pack.add(git::ObjectType::blob, "x");
  const auto commit =
      pack.add(git::ObjectType::commit, git::sample::commit_text(pack.add(git::ObjectType::tree, tree)));
  if (more) more(pack);
  Attack out{name,
             code,
             "git",
             {{"packages/git/demo.bundle", git::sample::bundle({{"refs/heads/main", commit}}, pack.bytes())}},
             std::move(word)};
  out.facts = {{"head", "refs/heads/main"}, {"refs", {{"refs/heads/main", git::to_hex(commit)}}}};
  return out;
}

inline std::vector<Attack> repositories() {
  using git::sample::tree_entry;
  const auto malformed = ErrorCode::package_malformed, unsafe = ErrorCode::path_unsafe;
  const auto x = git::sample::name_for(git::ObjectType::blob, "x");
  const auto plain = tree_entry("100644", "a", x);
  auto moved = repository("git branch that is not where the lock says", malformed, plain);
  moved.facts["refs"]["refs/heads/main"] = std::string(40, '1');
  auto behind = repository("git pack with something behind", malformed, plain);
  behind.files[0].second += "more";
  return {
      repository("git file called ..", unsafe, tree_entry("100644", "..", x), {}, "entry called"),
      repository("git file called .git", unsafe, tree_entry("40000", ".GIT", x), {}, "entry called"),
      repository("git file with a path for a name", unsafe, tree_entry("100644", "../../x", x), {}, "entry called"),
      repository("git .gitmodules as a symlink", unsafe, tree_entry("120000", ".gitmodules", x), {}, "symbolic link"),
      repository("git names out of order", malformed, tree_entry("100644", "b", x) + plain, {}, "order"),
      repository("git object that is not there", malformed, tree_entry("100644", "a", git::ObjectId{7}), {}, "blob 07"),
      repository(
          "git object twice", malformed, plain, [](auto& pack) { pack.add(git::ObjectType::blob, "x"); }, "twice"),
      repository(
          "git delta beyond its base", malformed, plain,
          [x](auto& pack) { pack.add_delta(x, std::string("\x01\x05\x90\x05", 4)); }, "does not have"),
      later("git object bomb", malformed,
            [plain] {
              return repository("", ErrorCode::package_malformed, plain, [](auto& pack) {
                pack.raw(git::sample::object_head(3, 3) + git::sample::deflated(std::string(100'000'000, '\0')));
              });
            }),
      repository("git object of a petabyte", ErrorCode::limit_exceeded, plain,
                 [](auto& pack) { pack.raw(git::sample::object_head(3, 1ull << 50) + git::sample::deflated("x")); }),
      moved,
      behind,
  };
}

/// What the same builders make when nobody lies.
inline std::vector<Attack> harmless_packages() {
  const auto none = ErrorCode::internal;
  const auto x = git::sample::name_for(git::ObjectType::blob, "x");
  auto maven = maven_file("Maven", none, ".pom", pom(coordinates("example.test", "demo", "1.0")));
  maven.files.insert(maven.files.begin(), {k_maven_folder + "demo-1.0.jar", zip({{"a", "words"}})});
  return {maven, chart("chart", none, tar_file("demo/Chart.yaml", "apiVersion: v2\nname: demo\nversion: 1.0.0\n")),
          rpm_package("RPM", none, {.name = "demo"}),
          repository("git", none, git::sample::tree_entry("100644", "a", x))};
}

}  // namespace liftlock::attack
