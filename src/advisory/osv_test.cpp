#include "advisory/osv.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "advisory/affected.hpp"
#include "advisory/database.hpp"
#include "advisory/inspector.hpp"
#include "advisory/match.hpp"
#include "advisory/maven_version.hpp"
#include "advisory/semver.hpp"
#include "archive/archive_fixture.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "os/file.hpp"

namespace liftlock::advisory {
namespace {

std::string record(std::string_view id, std::string_view affected, std::string_view more = "") {
  return fmt::format(R"({{"id":"{}","modified":"2026-01-02T00:00:00Z","affected":[{}]{}}})", id, affected, more);
}

std::string range(std::string_view ecosystem, std::string_view name, std::string_view events) {
  return fmt::format(
      R"({{"package":{{"ecosystem":"{}","name":"{}"}},"ranges":[{{"type":"ECOSYSTEM","events":[{}]}}]}})", ecosystem,
      name, events);
}

ErrorCode code_of(std::string_view json) {
  try {
    parse_osv(json);
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::internal;
}

Artifact artifact(std::string kind, std::string name, std::string version) {
  return {.kind = std::move(kind),
          .name = std::move(name),
          .version = std::move(version),
          .files = {{RelPath::parse("packages/x"), 1, sha256("x"), {}, {}}}};
}

Verdict judged(std::string_view ecosystem, std::string_view events, std::string version) {
  const auto advisory = parse_osv(record("A-1", range(ecosystem, "p", events)));
  return judge(advisory.affected.at(0), {std::string(ecosystem), {}, "p", std::move(version)});
}

TEST(Osv, ARecordIsReadAsFarAsItIsNeeded) {
  const auto advisory = parse_osv(record(
      "GHSA-1", range("PyPI", "demo", R"({"introduced":"0"},{"fixed":"1.2"})"),
      R"(,"aliases":["CVE-2026-1"],"upstream":["CVE-2026-2"],"summary":"bad\u001b[31m","severity":[{"type":"CVSS_V3","score":
                "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],"unknown":{"x":[1]})"));
  EXPECT_EQ(advisory.id, "GHSA-1");
  EXPECT_EQ(advisory.severity, "critical");
  EXPECT_THAT(advisory.aliases, testing::ElementsAre("CVE-2026-1"));
  EXPECT_THAT(advisory.upstream, testing::ElementsAre("CVE-2026-2"));
  EXPECT_EQ(advisory.summary.find('\x1b'), std::string::npos);
  ASSERT_EQ(advisory.affected.size(), 1u);
  EXPECT_EQ(advisory.affected[0].ranges.at(0).events.at(1).version, "1.2");
}

TEST(Osv, WhatIsNoRecordIsRefused) {
  EXPECT_EQ(code_of("[]"), ErrorCode::schema_violation);
  EXPECT_EQ(code_of("{}"), ErrorCode::schema_violation);
  EXPECT_EQ(code_of(R"({"id":"x","id":"y","modified":"z"})"), ErrorCode::json_duplicate_key);
  EXPECT_EQ(code_of(R"({"id":"x")"), ErrorCode::json_invalid);
  EXPECT_EQ(code_of(R"({"id":"","modified":"z"})"), ErrorCode::schema_violation);
  EXPECT_EQ(code_of(R"({"id":"x","modified":"z","affected":{}})"), ErrorCode::schema_violation);
  EXPECT_EQ(code_of(R"({"id":"x","modified":"z","aliases":[1]})"), ErrorCode::schema_violation);
  EXPECT_EQ(code_of(R"({"id":"x","modified":"z","affected":[{"package":{"ecosystem":"PyPI"}}]})"),
            ErrorCode::schema_violation);
  EXPECT_EQ(code_of(record("x", range("PyPI", std::string(600, 'a'), ""))), ErrorCode::schema_violation);
  EXPECT_EQ(code_of("{\"id\":\"" + std::string(20u << 20, 'a') + "\"}"), ErrorCode::limit_exceeded);
}

// The examples of the specification's calculator, and of published records.
TEST(Osv, SeveritiesAreThoseOfTheBaseScore) {
  EXPECT_EQ(severity_of_cvss("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"), "critical");  // 9.8
  EXPECT_EQ(severity_of_cvss("CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H"), "critical");  // 10.0
  EXPECT_EQ(severity_of_cvss("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"), "high");      // 7.5
  EXPECT_EQ(severity_of_cvss("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N"), "medium");    // 6.1
  EXPECT_EQ(severity_of_cvss("CVSS:3.1/AV:L/AC:H/PR:L/UI:R/S:U/C:L/I:N/A:N"), "low");       // 2.2
  EXPECT_EQ(severity_of_cvss("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N"), "none");
  EXPECT_EQ(severity_of_cvss("CVSS:3.1/AV:N/AC:L"), "");
  EXPECT_EQ(severity_of_cvss("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"), "");
}

TEST(Semver, OrdersAsTheSpecificationDoes) {
  const char* const k_order[] = {"1.0.0-alpha",
                                 "1.0.0-alpha.1",
                                 "1.0.0-alpha.beta",
                                 "1.0.0-beta",
                                 "1.0.0-beta.2",
                                 "1.0.0-beta.11",
                                 "1.0.0-rc.1",
                                 "1.0.0",
                                 "1.0.1",
                                 "1.2.0",
                                 "1.10.0",
                                 "2.0.0",
                                 "99999999999999999999.0.0"};
  for (std::size_t i = 0; i < std::size(k_order); ++i) {
    for (std::size_t j = 0; j < std::size(k_order); ++j) {
      EXPECT_EQ(compare_semver(k_order[i], k_order[j]) < 0, i < j) << k_order[i] << " " << k_order[j];
    }
  }
  EXPECT_EQ(compare_semver("v1.2", "1.2.0+build.7"), std::weak_ordering::equivalent);
}

// The order and the equalities that the specification states.
TEST(Maven, OrdersAsTheSpecificationDoes) {
  const char* const k_order[] = {"1-alpha-1",
                                 "1-alpha2",
                                 "1-beta",
                                 "1-milestone-3",
                                 "1-rc1",
                                 "1-cr2",
                                 "1-SNAPSHOT",
                                 "1",
                                 "1-sp",
                                 "1-bar",
                                 "1-foo2",
                                 "1-foo10",
                                 "1-1",
                                 "1-2",
                                 "1.0.1",
                                 "1.1-rc",
                                 "1.1",
                                 "1.2",
                                 "1.10",
                                 "2",
                                 "2.0.1",
                                 "10",
                                 "99999999999999999999"};
  for (std::size_t i = 0; i < std::size(k_order); ++i) {
    for (std::size_t j = 0; j < std::size(k_order); ++j)
      EXPECT_EQ(compare_maven(k_order[i], k_order[j]) < 0, i < j) << k_order[i] << " " << k_order[j];
  }
  for (const auto* same : {"1.ga", "1-ga", "1-0", "1.0", "1.0.0-RELEASE", "1.Final", "01", "1.0-0.ga"})
    EXPECT_EQ(compare_maven("1", same), std::weak_ordering::equivalent) << same;
  EXPECT_EQ(compare_maven("1-a1", "1-alpha-1"), std::weak_ordering::equivalent);
  EXPECT_EQ(compare_maven("1.foo", "1-foo"), std::weak_ordering::equivalent);
  EXPECT_EQ(compare_maven("1.0-rc1", "1-RC1"), std::weak_ordering::equivalent);
  EXPECT_TRUE(compare_maven("1-sp.1", "1-ga.1") > 0);
  EXPECT_TRUE(compare_maven("1-sp-1", "1-ga-1") < 0);
  EXPECT_TRUE(compare_maven("2.0.0.Alpha1", "2.0.0.Final") < 0);
  EXPECT_TRUE(compare_maven("31.0-jre", "31.0.1-jre") < 0);
  for (const auto* odd : {"", "-", ".", "..--", "1..2", "-1", "\xff", "1.-"}) {
    EXPECT_EQ(compare_maven(odd, odd), std::weak_ordering::equivalent) << odd;
    (void)compare_maven(odd, "1.0");
  }
}

TEST(Affected, RangesAreThoseBetweenTheEvents) {
  constexpr auto events = R"({"fixed":"2.5"},{"introduced":"2.0"},{"introduced":"0"},{"fixed":"1.2"})";
  EXPECT_TRUE(judged("PyPI", events, "1.0").affected);
  EXPECT_THAT(judged("PyPI", events, "1.0").fixed, testing::ElementsAre("1.2", "2.5"));
  EXPECT_FALSE(judged("PyPI", events, "1.2").affected);
  EXPECT_FALSE(judged("PyPI", events, "1.10").affected) << "1.10 is later than 1.2";
  EXPECT_TRUE(judged("PyPI", events, "2.4.9").affected);
  EXPECT_THAT(judged("PyPI", events, "2.4.9").fixed, testing::ElementsAre("2.5"));
  EXPECT_FALSE(judged("PyPI", events, "2.5").affected);
  EXPECT_TRUE(judged("npm", R"({"introduced":"1.0.0"},{"last_affected":"1.4.0"})", "1.4.0").affected);
  EXPECT_FALSE(judged("npm", R"({"introduced":"1.0.0"},{"last_affected":"1.4.0"})", "1.4.1").affected);
  EXPECT_TRUE(judged("Debian", R"({"introduced":"0"},{"fixed":"3.0.11-1~deb12u2"})", "3.0.11-1~deb12u1").affected);
  EXPECT_TRUE(judged("PyPI", R"({"introduced":"0"},{"fixed":"not a version"})", "1.0").affected) << "no end, then";
  EXPECT_THAT(judged("PyPI", R"({"introduced":"0"},{"fixed":"not a version"})", "1.0").fixed, testing::IsEmpty());
  EXPECT_TRUE(judged("npm", R"({"introduced":"what"},{"fixed":"2.0.0"})", "1.0.0").affected);
  EXPECT_TRUE(judged("Maven", R"({"introduced":"0"},{"fixed":"2.0"})", "2.0-rc1").affected);
  EXPECT_FALSE(judged("Maven", R"({"introduced":"0"},{"fixed":"2.0"})", "2.0.Final").affected);
  EXPECT_FALSE(judged("Elsewhere", R"({"introduced":"0"})", "1").affected) << "its order is not known here";
}

// Each compared with each other would be half an hour.
TEST(Affected, OfManyFixedVersionsTheSmallestAreKept) {
  constexpr int k_many = 100'000;
  AffectedPackage package{.ecosystem = "npm", .name = "p", .ranges = {{}}, .versions = {}};
  package.ranges[0].events.push_back({Event::introduced, "0"});
  for (int i = k_many; i > 0; --i) package.ranges[0].events.push_back({Event::fixed, fmt::format("1.{}.0", i / 2)});
  std::vector<std::string> smallest;
  for (std::size_t i = 0; i < k_max_fixed; ++i) smallest.push_back(fmt::format("1.{}.0", i));
  EXPECT_EQ(judge(package, {"npm", {}, "p", "0.9.0"}).fixed, smallest);
  package.ecosystem = "Elsewhere", package.versions = {"0.9.0"};
  const auto unordered = judge(package, {"Elsewhere", {}, "p", "0.9.0"}).fixed;
  EXPECT_EQ(unordered.size(), k_max_fixed);
  EXPECT_EQ(unordered.front(), fmt::format("1.{}.0", k_many / 2));
}

TEST(Affected, NamedVersionsCountWhateverTheRangesSay) {
  const auto advisory =
      parse_osv(record("M-1", R"({"package":{"ecosystem":"Maven","name":"g:a"},"versions":["1.0","1.1"],
                        "ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"1.2"}]}]})"));
  EXPECT_TRUE(judge(advisory.affected.at(0), {"Maven", {}, "g:a", "1.1"}).affected);
  EXPECT_THAT(judge(advisory.affected.at(0), {"Maven", {}, "g:a", "1.1"}).fixed, testing::ElementsAre("1.2"));
  EXPECT_FALSE(judge(advisory.affected.at(0), {"Maven", {}, "g:a", "1.2"}).affected);
}

TEST(Affected, ArtifactsAreFoundByWhatTheirEcosystemCallsThem) {
  auto deb = artifact("deb", "libssl3", "3.0.9-1+b1");
  deb.facts = {{"stanza", "Package: libssl3\nSource: openssl (3.0.9-1)\n"}};
  deb.files[0].evidence = {{"apt-release", {{"codename", "bookworm"}}}};
  AffectedArtifacts found(subjects_of({artifact("wheel", "Flask_Demo", "1.0"), artifact("npm", "@team/app", "1.0.0"),
                                       deb, artifact("model", "flask-demo", "1.0")}));
  found.consider(parse_osv(
      record("P-1", range("PyPI", "flask.demo", R"({"introduced":"0"},{"fixed":"2"})"), R"(,"aliases":["CVE-1"])")));
  found.consider(parse_osv(record("G-1", range("PyPI", "flask-demo", R"({"introduced":"0"})"),
                                  R"(,"aliases":["CVE-1"],"database_specific":{"severity":"HIGH"})")));
  found.consider(parse_osv(
      record("N-1", range("npm", "@team/app", R"({"introduced":"0"})"), R"(,"withdrawn":"2026-01-01T00:00:00Z")")));
  found.consider(parse_osv(record("D-1", range("Debian:12", "openssl", R"({"introduced":"0"},{"fixed":"3.0.9-2"})"))));
  found.consider(parse_osv(record("D-2", range("Debian:13", "openssl", R"({"introduced":"0"})"))));
  const auto result = found.result();
  ASSERT_EQ(result.size(), 2u);
  EXPECT_EQ(result[0].artifact, "wheel:Flask_Demo@1.0");
  EXPECT_EQ(result[0].severity, "high");
  EXPECT_THAT(result[0].fixed, testing::ElementsAre("2")) << "what one database leaves open, the other says";
  EXPECT_EQ(result[0].subject, "CVE-1");
  EXPECT_EQ(result[1].artifact, deb.id());
  EXPECT_EQ(result[1].advisory, "D-1");
  EXPECT_EQ(found.considered(), 5u);
}

TEST(Affected, AnEngineIsWhatItWasMadeOf) {
  auto engine = artifact("engine", "llama.cpp", "8941");
  const auto input = [](const std::string& name, const std::string& version, const std::string& source) {
    return Json{{"name", name},
                {"version", version},
                {"sha256", std::string(64, 'a')},
                {"source", source},
                {"evidence", {{"type", "apt-release"}, {"origin", "Debian"}, {"codename", "bookworm"}}}};
  };
  engine.files[0].evidence = {
      {"derived",
       {{"inputs", {input("libssl3", "3.0.9-1+b1", "openssl (3.0.9-1)"), input("libc6", "2.36-9", "glibc"), 5}}}}};
  EXPECT_EQ(known_packages(engine),
            (std::vector<KnownPackage>{{"Debian", "12", "openssl", "3.0.9-1"}, {"Debian", "12", "glibc", "2.36-9"}}));
  AffectedArtifacts found(subjects_of({engine}));
  found.consider(parse_osv(record("D-1", range("Debian:12", "openssl", R"({"introduced":"0"},{"fixed":"3.0.9-2"})"))));
  found.consider(parse_osv(record("D-2", range("Debian:13", "glibc", R"({"introduced":"0"})"))));
  const auto result = found.result();
  ASSERT_EQ(result.size(), 1u);
  EXPECT_EQ(result[0].artifact, "engine:llama.cpp@8941");
  EXPECT_EQ(result[0].source, "openssl");
  EXPECT_THAT(result[0].fixed, testing::ElementsAre("3.0.9-2"));
  EXPECT_TRUE(known_packages(artifact("engine", "imported", "1")).empty());
}

TEST(Affected, OfTwoSeveritiesTheWorseCounts) {
  const auto severity = [](const std::vector<std::string>& stated) {
    AffectedArtifacts search(subjects_of({artifact("wheel", "demo", "1.0")}));
    for (const auto& word : stated) {
      auto one = parse_osv(record("A-1", range("PyPI", "demo", R"({"introduced":"0"})"), R"(,"aliases":["CVE-1"])"));
      one.severity = word;
      search.consider(one);
    }
    return search.result().at(0).severity;
  };
  EXPECT_EQ(severity({"medium", "critical"}), "critical");
  EXPECT_EQ(severity({"critical", "medium"}), "critical");
  EXPECT_EQ(severity({"low", ""}), "low");
  EXPECT_EQ(severity({"", "none", "low"}), "low");
}

TEST(Affected, DebsOfUbuntuAreUbuntus) {
  auto deb = artifact("deb", "libssl3", "3.0.2-0ubuntu1.10");
  deb.facts = {{"stanza", "Package: libssl3\nSource: openssl\n"}};
  deb.files[0].evidence = {{"apt-release", {{"origin", "Ubuntu"}, {"codename", "jammy"}}}};
  const auto affected = [&](std::string_view ecosystem) {
    AffectedArtifacts search(subjects_of({deb}));
    search.consider(
        parse_osv(record("U-1", range(ecosystem, "openssl", R"({"introduced":"0"},{"fixed":"3.0.2-0ubuntu1.12"})"))));
    return search.result().size();
  };
  for (const auto* its : {"Ubuntu:22.04:LTS", "Ubuntu:Pro:22.04:LTS", "Ubuntu"}) EXPECT_EQ(affected(its), 1u) << its;
  for (const auto* others : {"Debian:12", "Debian", "Ubuntu:24.04:LTS"}) EXPECT_EQ(affected(others), 0u) << others;
}

TEST(Affected, DebsAreOfTheirSuiteElseOfTheirOriginElseOfEither) {
  const auto names = [](std::string version, const Json& details) {
    auto deb = artifact("deb", "x", std::move(version));
    if (!details.empty()) deb.files[0].evidence = {{"apt-release", details}};
    std::vector<std::string> out;
    for (const auto& known : known_packages(deb)) out.push_back(known.ecosystem + ":" + known.release);
    return out;
  };
  using testing::ElementsAre;
  EXPECT_THAT(names("1-1", {{"codename", "buster"}}), ElementsAre("Debian:10"));
  EXPECT_THAT(names("1-1", {{"codename", "sid"}}), ElementsAre("Debian:"));
  EXPECT_THAT(names("1-1", {{"suite", "xenial-security"}}), ElementsAre("Ubuntu:16.04"));
  EXPECT_THAT(names("1-1", {{"codename", "trusty"}}), ElementsAre("Ubuntu:14.04"));
  EXPECT_THAT(names("1-1", {{"codename", "oracular"}}), ElementsAre("Ubuntu:24.10"));
  EXPECT_THAT(names("1-1", {{"codename", "plucky"}, {"origin", "Ubuntu"}}), ElementsAre("Ubuntu:25.04"));
  EXPECT_THAT(names("1-1", {{"codename", "new"}, {"origin", "UbuntuESMApps"}}), ElementsAre("Ubuntu:"));
  EXPECT_THAT(names("1-1", {{"origin", "Debian Backports"}}), ElementsAre("Debian:"));
  // As they are imported: nobody states an archive.
  EXPECT_THAT(names("1-1ubuntu2", {}), ElementsAre("Ubuntu:"));
  EXPECT_THAT(names("1-1", {}), ElementsAre("Debian:", "Ubuntu:")) << "Ubuntu takes packages of Debian as they are";
}

std::string test_zip(const std::vector<TestMember>& members) {
  return test_archive("zip", "none", members);
}

TEST(Match, RequestAndAnswerCrossTheCell) {
  auto subjects = subjects_of({artifact("wheel", "demo", "1.0"), artifact("npm", "x", "2.0.0")});
  subjects.push_back({"rpm:boat@1:1-1", {"SUSE", "15.5", "sea", "7-1", true}});
  TemporaryFolder folder;
  write_file_atomically(folder.path() / "a",
                        record("A-1", range("PyPI", "demo", R"({"introduced":"0"},{"fixed":"1.1"})")));
  write_file_atomically(folder.path() / "b", record("B-1", range("npm", "x", R"({"introduced":"0"})")));
  write_file_atomically(folder.path() / "c",
                        record("C-1", range("SUSE", "sea", R"({"introduced":"2:6-1"},{"fixed":"2:8-1"})")));
  const auto a = open_file(folder.path() / "a", O_RDONLY), b = open_file(folder.path() / "b", O_RDONLY);
  const auto c = open_file(folder.path() / "c", O_RDONLY);
  const int files[] = {a.get(), b.get(), c.get()};
  const auto match = parse_match_answer(answer_match_request(match_request(subjects), files));
  EXPECT_EQ(match.records, 3u);
  ASSERT_EQ(match.affected.size(), 3u) << "no epoch counts where it is not known";
  EXPECT_EQ(match.affected[1].artifact, "rpm:boat@1:1-1");
  EXPECT_EQ(match.affected[1].source, "sea");
  EXPECT_EQ(match.affected[2].source, "");
  EXPECT_EQ(match.affected[2].artifact, "wheel:demo@1.0");
  EXPECT_THAT(match.affected[2].fixed, testing::ElementsAre("1.1"));
  EXPECT_EQ(match.affected[2].subject, "A-1");
}

class DatabaseTest : public testing::Test {
 protected:
  Inspection inspect(std::string_view bytes) {
    const auto file = m_temporary.path() / "database";
    write_file_atomically(file, bytes);
    const auto fd = open_file(file, O_RDONLY);
    const auto subject = artifact("advisories", "python", "1");
    const int files[] = {fd.get()};
    return AdvisoriesInspector().inspect(subject, files);
  }
  TemporaryFolder m_temporary;
};

TEST_F(DatabaseTest, AZipOfRecordsIsCounted) {
  const auto seen = inspect(test_zip({{"A-1.json", record("A-1", range("PyPI", "x", ""))},
                                      {"A-2.json", record("A-2", range("Debian:12", "y", ""))},
                                      {"README.md", "words"}}));
  EXPECT_TRUE(seen.findings.empty());
  EXPECT_EQ(seen.facts.at("records"), 2);
  EXPECT_EQ(seen.facts.at("ecosystems").at("Debian"), 1);
  EXPECT_EQ(inspect(record("A-1", range("PyPI", "x", ""))).facts.at("records"), 1);
}

TEST_F(DatabaseTest, WhatIsNoDatabaseIsAFinding) {
  EXPECT_EQ(inspect("words").findings.at(0).code, ErrorCode::json_invalid);
  EXPECT_EQ(inspect("").findings.at(0).code, ErrorCode::json_invalid);
  EXPECT_EQ(inspect(test_zip({{"README.md", "words"}})).findings.at(0).code, ErrorCode::package_malformed);
  EXPECT_EQ(inspect(test_zip({{"A.json", "{"}})).findings.at(0).code, ErrorCode::json_invalid);
  EXPECT_EQ(inspect(test_zip({{"../A.json", record("A", "")}})).findings.at(0).code, ErrorCode::path_unsafe);
  const auto whole = test_zip({{"A.json", record("A", range("PyPI", "x", ""))}});
  for (std::size_t cut = 1; cut < whole.size(); cut += 7) {
    EXPECT_FALSE(inspect(std::string_view(whole).substr(0, cut)).findings.empty()) << cut;
  }
}

}  // namespace
}  // namespace liftlock::advisory
