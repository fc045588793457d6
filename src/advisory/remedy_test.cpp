#include "advisory/remedy.hpp"

#include <gmock/gmock.h>

#include <chrono>

#include "crypto/hash.hpp"

namespace liftlock::advisory {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Artifact artifact(std::string kind, std::string name, std::string version, Json facts = Json::object()) {
  Artifact out{.kind = std::move(kind),
               .name = std::move(name),
               .version = std::move(version),
               .files = {{RelPath::parse("packages/x"), 1, sha256("x"), {}, {}}}};
  out.facts = std::move(facts);
  return out;
}

Artifact deb(std::string name, std::string version, std::string architecture = "amd64") {
  return artifact("deb", std::move(name), std::move(version),
                  {{"architecture", std::move(architecture)}, {"stanza", "Package: x\nSource: openssl\n"}});
}

Artifact rpm(std::string name, std::string version, std::string vendor = "Rocky") {
  return artifact(
      "rpm", std::move(name), version,
      {{"architecture", "x86_64"}, {"vendor", std::move(vendor)}, {"source_rpm", "boat-" + version + ".src.rpm"}});
}

Affected finding(const Artifact& artifact, std::string subject, std::vector<std::string> fixed = {}) {
  return {artifact.id(), subject, subject, {}, {}, {}, std::move(fixed)};
}

std::set<std::string> replacements(const Artifact& bad, const std::vector<Artifact>& others,
                                   const std::vector<Affected>& more = {}) {
  Replacements search;
  search.add(bad);
  for (const auto& one : others) search.add(one);
  auto all = more;
  all.push_back(finding(bad, "CVE-1"));
  return search.of(all.back(), meant_of(all));
}

TEST(Replacements, AreOfTheSamePackageNotOnlyOfItsSource) {
  const auto boat = rpm("boat", "1.0-2.el9");
  EXPECT_THAT(replacements(boat, {rpm("boat-sail", "1.0-3.el9_4")}), IsEmpty());
  EXPECT_THAT(replacements(boat, {rpm("boat", "1.0-3.el9_4")}), ElementsAre("rpm:boat@1.0-3.el9_4"));
  EXPECT_THAT(replacements(boat, {rpm("boat.i686", "1.0-3.el9_4")}), IsEmpty());
  EXPECT_THAT(replacements(deb("libssl3", "3.0.9-1"), {deb("openssl", "3.0.9-2")}), IsEmpty());
  EXPECT_THAT(replacements(artifact("wheel", "demo", "1"), {artifact("sdist", "demo", "2")}), IsEmpty());
}

TEST(Replacements, ServeTheArchitectureAndTheRelease) {
  const auto ssl = deb("libssl3", "3.0.9-1");
  EXPECT_THAT(replacements(ssl, {deb("libssl3", "3.0.9-2", "arm64")}), IsEmpty());
  EXPECT_THAT(replacements(ssl, {deb("libssl3", "3.0.9-2", "all")}), ElementsAre("deb:libssl3@3.0.9-2"));
  EXPECT_THAT(replacements(rpm("boat", "1-2.el9"), {rpm("boat", "2-1.el10")}), IsEmpty());
  EXPECT_THAT(replacements(rpm("boat", "1-2.el9"), {rpm("boat", "2-1.el9", "AlmaLinux")}), IsEmpty());
  EXPECT_THAT(replacements(rpm("boat", "1-2.el9"), {rpm("boat", "2-1.el9", "Somebody")}), IsEmpty());
}

TEST(Replacements, AreNeitherEarlierNorMeant) {
  const auto demo = artifact("wheel", "demo", "1.5"), later = artifact("wheel", "demo", "1.10");
  EXPECT_THAT(replacements(demo, {artifact("wheel", "demo", "1.4"), later, later}), ElementsAre("wheel:demo@1.10"));
  EXPECT_THAT(replacements(demo, {later}, {finding(later, "CVE-1")}), IsEmpty());
  EXPECT_THAT(replacements(demo, {later}, {finding(later, "CVE-2")}), ElementsAre("wheel:demo@1.10"));
  EXPECT_THAT(replacements(artifact("model", "x", "1"), {artifact("model", "x", "2")}), IsEmpty());
}

TEST(Replacements, OfManyFindingsAreFoundSoon) {
  Replacements search;
  std::vector<Affected> all;
  constexpr int k_packages = 20'000;
  for (int i = 0; i < k_packages; ++i) {
    const auto one = artifact("wheel", "demo" + std::to_string(i), "1");
    search.add(one);
    all.push_back(finding(one, "CVE-1"));
  }
  const auto meant = meant_of(all);
  const auto start = std::chrono::steady_clock::now();
  for (const auto& found : all) EXPECT_THAT(search.of(found, meant), IsEmpty());
  // Each with each other would be some minutes.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

Advisory record(std::string id, std::vector<VersionEvent> events) {
  Advisory out{.id = std::move(id), .aliases = {}, .upstream = {}, .summary = {}, .severity = {}, .modified = {}};
  out.affected.push_back({.ecosystem = "PyPI", .name = "demo", .ranges = {{std::move(events)}}, .versions = {}});
  return out;
}

std::vector<Affected> match(const std::vector<Subject>& subjects, const std::vector<Advisory>& records) {
  AffectedArtifacts search(subjects);
  for (const auto& one : records) search.consider(one);
  return search.result();
}

/// "1.0 -> 2.3 (C)": for each version of the wheel demo what to ask for, and what stays.
std::vector<std::string> asked(const std::vector<std::string>& versions, const std::vector<Advisory>& records) {
  std::vector<Artifact> artifacts;
  std::set<std::string> wanted;
  for (const auto& version : versions) wanted.insert(artifacts.emplace_back(artifact("wheel", "demo", version)).id());
  const auto subjects = subjects_of(artifacts);
  const AskedVersions versions_to_ask(match(subjects, records), wanted, subjects);
  std::vector<std::string> out;
  for (const auto& ask : versions_to_ask.asks(match(versions_to_ask.subjects(), records))) {
    auto text = ask.artifact.substr(ask.artifact.find('@') + 1) + " -> " + ask.version;
    for (const auto& one : ask.advisories) text += " (" + one + ")";
    out.push_back(std::move(text));
  }
  return out;
}

constexpr auto k_introduced = Event::introduced, k_fixed = Event::fixed;
const Advisory k_a = record("A", {{k_introduced, "0"}, {k_fixed, "1.1"}, {k_introduced, "2.0"}, {k_fixed, "2.3"}});
const Advisory k_b = record("B", {{k_introduced, "0"}, {k_fixed, "2.0"}});
const Advisory k_c = record("C", {{k_introduced, "0"}});

TEST(AskedVersions, AreTheSmallestThatNoFindingMeans) {
  EXPECT_THAT(asked({"1.0"}, {k_a}), ElementsAre("1.0 -> 1.1"));
  EXPECT_THAT(asked({"1.0"}, {k_a, k_b}), ElementsAre("1.0 -> 2.3")) << "2.0 is meant by A";
  EXPECT_THAT(asked({"1.0", "2.1"}, {k_a, k_b}), ElementsAre("1.0 -> 2.3", "2.1 -> 2.3"));
  const auto later = record("D", {{k_introduced, "2.2"}, {k_fixed, "2.4"}});
  EXPECT_THAT(asked({"1.0"}, {k_b, later}), ElementsAre("1.0 -> 2.0")) << "D means a later one";
  EXPECT_THAT(asked({"1.0"}, {k_a, k_b, later}), ElementsAre("1.0 -> 2.3 (D)")) << "D does not mean 1.0";
}

// dmsetup 1.02 is built from lvm2 2.03.
TEST(AskedVersions, AreInWhoseNumbersTheFixIsStated) {
  const auto mapper = artifact("deb", "dmsetup", "2:1.02.185-2",
                               {{"architecture", "amd64"}, {"stanza", "Package: dmsetup\nSource: lvm2 (2.03.16-2)\n"}});
  auto lvm = record("L", {{k_introduced, "0"}, {k_fixed, "2.03.16-3"}});
  lvm.affected[0].ecosystem = "Debian", lvm.affected[0].name = "lvm2";
  const auto subjects = subjects_of({mapper});
  const auto findings = match(subjects, {lvm});
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].source, "lvm2");
  const AskedVersions versions(findings, {mapper.id()}, subjects);
  const auto asks = versions.asks(match(versions.subjects(), {lvm}));
  ASSERT_EQ(asks.size(), 1u);
  EXPECT_EQ(asks[0].artifact, "deb:dmsetup@2:1.02.185-2");
  EXPECT_EQ(asks[0].source, "lvm2");
  EXPECT_EQ(asks[0].version, "2.03.16-3");
  EXPECT_THAT(asks[0].advisories, IsEmpty());
}

// Two databases, of which one goes by packages and one by sources.
TEST(AskedVersions, OfPackageAndSourceAreNotCompared) {
  auto wifi = rpm("wifi", "39.31-2.el9");
  wifi.facts["source_rpm"] = "firmware-20240905-2.el9.src.rpm";
  auto own = record("O", {{k_introduced, "0"}, {k_fixed, "39.31-3.el9"}});
  own.affected[0].ecosystem = "Rocky Linux:9", own.affected[0].name = "wifi";
  auto source = record("S", {{k_introduced, "0"}, {k_fixed, "20240905-3.el9"}});
  source.affected[0].ecosystem = "Rocky Linux:9", source.affected[0].name = "firmware";
  const auto subjects = subjects_of({wifi});
  const AskedVersions versions(match(subjects, {own, source}), {wifi.id()}, subjects);
  std::vector<std::string> out;
  for (const auto& ask : versions.asks(match(versions.subjects(), {own, source})))
    out.push_back(ask.source + " " + ask.version);
  EXPECT_THAT(out, ElementsAre(" 39.31-3.el9", "firmware 20240905-3.el9"));
}

TEST(AskedVersions, NameWhatStays) {
  EXPECT_THAT(asked({"1.0"}, {k_a, k_b, k_c}), ElementsAre("1.0 -> 2.3 (C)"));
  EXPECT_THAT(asked({"1.0"}, {k_c}), ElementsAre("1.0 -> "));
  const auto ends = record("E", {{k_introduced, "0"}, {Event::last_affected, "1.9"}});
  EXPECT_THAT(asked({"1.0"}, {k_b, ends}), ElementsAre("1.0 -> 2.0")) << "E states no fix, and does not mean 2.0";
  EXPECT_THAT(asked({"3.0"}, {k_a, k_b}), IsEmpty());
}

}  // namespace
}  // namespace liftlock::advisory
