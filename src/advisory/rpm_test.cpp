#include <gmock/gmock.h>

#include "advisory/affected.hpp"
#include "advisory/rpm_distribution.hpp"
#include "advisory/rpm_version.hpp"
#include "crypto/hash.hpp"

namespace liftlock::advisory {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

int sign(std::weak_ordering order) {
  return order < 0 ? -1 : order > 0 ? 1 : 0;
}

// What rpm's own tests state of its order (tests/rpmvercmp.at): each pair once, the other way round follows.
TEST(RpmVersion, OrdersAsRpmDoes) {
  struct Case {
    const char *a, *b;
    int order;
  };
  constexpr Case k_cases[] = {{"1.0", "1.0", 0},
                              {"1.0", "2.0", -1},
                              {"2.0.1", "2.0.1", 0},
                              {"2.0", "2.0.1", -1},
                              {"2.0.1a", "2.0.1a", 0},
                              {"2.0.1a", "2.0.1", 1},
                              {"5.5p1", "5.5p2", -1},
                              {"5.5p10", "5.5p10", 0},
                              {"5.5p1", "5.5p10", -1},
                              {"10xyz", "10.1xyz", -1},
                              {"xyz10", "xyz10", 0},
                              {"xyz10", "xyz10.1", -1},
                              {"xyz.4", "xyz.4", 0},
                              {"xyz.4", "8", -1},
                              {"xyz.4", "2", -1},
                              {"5.5p2", "5.6p1", -1},
                              {"5.6p1", "6.5p1", -1},
                              {"6.0.rc1", "6.0", 1},
                              {"10b2", "10a1", 1},
                              {"10a2", "10b2", -1},
                              {"1.0aa", "1.0aa", 0},
                              {"1.0a", "1.0aa", -1},
                              {"10.0001", "10.0001", 0},
                              {"10.0001", "10.1", 0},
                              {"10.0001", "10.0039", -1},
                              {"4.999.9", "5.0", -1},
                              {"20101121", "20101122", -1},
                              {"2_0", "2_0", 0},
                              {"2.0", "2_0", 0},
                              {"a+", "a_", 0},
                              {"+a", "_a", 0},
                              {"_+", "+_", 0},
                              {"+", "_", 0},
                              {"1.0~rc1", "1.0~rc1", 0},
                              {"1.0~rc1", "1.0", -1},
                              {"1.0~rc1", "1.0~rc2", -1},
                              {"1.0~rc1~git123", "1.0~rc1~git123", 0},
                              {"1.0~rc1~git123", "1.0~rc1", -1},
                              {"1.0^", "1.0^", 0},
                              {"1.0^", "1.0", 1},
                              {"1.0^git1", "1.0^git1", 0},
                              {"1.0^git1", "1.0", 1},
                              {"1.0^git1", "1.0^git2", -1},
                              {"1.0^git1", "1.01", -1},
                              {"1.0^20160101", "1.0.1", -1},
                              {"1.0^20160102", "1.0^20160101^git1", 1},
                              {"1.0~rc1^git1", "1.0~rc1", 1},
                              {"1.0^git1~pre", "1.0^git1~pre", 0},
                              {"1.0^git1", "1.0^git1~pre", 1},
                              {"1b.fc17", "1.fc17", -1},
                              {"1g.fc17", "1.fc17", 1},
                              {"1.1.α", "1.1.β", 0},
                              {"1.1.αα", "1.1.α", 0}};
  for (const auto& [a, b, order] : k_cases) {
    EXPECT_EQ(sign(compare_rpm_part(a, b)), order) << a << " " << b;
    EXPECT_EQ(sign(compare_rpm_part(b, a)), -order) << b << " " << a;
  }
}

TEST(RpmVersion, EpochsComeFirstAndReleasesLast) {
  const char* const k_order[] = {
      "",         "1.0~rc1-9", "1.0",       "1.0-1",  "0:1.0-1.el9_2",          "1.0-1.el9_4",
      "0:1.0-10", "1.0^1-1",   "1.0.1-0.1", "1.10-1", "18446744073709551616-1", "1:0.1-1",
      "2:0.1-1",  "10:0.1-1"};
  for (std::size_t i = 0; i < std::size(k_order); ++i) {
    for (std::size_t j = 0; j < std::size(k_order); ++j)
      EXPECT_EQ(sign(compare_rpm(k_order[i], k_order[j])), i < j   ? -1
                                                           : i > j ? 1
                                                                   : 0)
          << k_order[i] << " " << k_order[j];
  }
  EXPECT_EQ(sign(compare_rpm("0:1.0-1", "1.0-1")), 0);
  EXPECT_EQ(sign(compare_rpm(":1.0-1", "1.0-1")), 0);
  EXPECT_EQ(sign(compare_rpm_without_epoch("2:1.0-1", "1:1.0-2")), -1);
  EXPECT_EQ(sign(compare_rpm_without_epoch("2:1.0-1", "1.0-1")), 0);
  EXPECT_EQ(sign(compare_rpm("a:1", "a:1")), 0) << "no epoch, but a version that no package has";
}

std::vector<std::string> distributions(std::string_view vendor, std::string_view release) {
  std::vector<std::string> out;
  for (const auto& one : rpm_distributions(vendor, release)) out.push_back(one.ecosystem + ":" + one.release);
  return out;
}

TEST(RpmDistribution, IsTheVendorsInTheHeader) {
  EXPECT_THAT(distributions("Red Hat, Inc.", "27.el9"), ElementsAre("Red Hat:9"));
  EXPECT_THAT(distributions("Rocky Enterprise Software Foundation", "1.module+el8.9.0+111+aaaaaaaa"),
              ElementsAre("Rocky Linux:8"));
  EXPECT_THAT(distributions("AlmaLinux", "23.el10_1.alma.1"), ElementsAre("AlmaLinux:10"));
  EXPECT_THAT(distributions("AlmaLinux", "1"), ElementsAre("AlmaLinux:"));
  EXPECT_THAT(distributions("SUSE LLC <https://www.suse.com/>", "150500.3.6.1"),
              ElementsAre("SUSE:15.5", "openSUSE:15.5"));
  EXPECT_THAT(distributions("openSUSE", "lp156.2.1"), ElementsAre("openSUSE:15.6"));
  EXPECT_THAT(distributions("openSUSE", "160000.2.2"), ElementsAre("openSUSE:16.0"));
  EXPECT_THAT(distributions("openSUSE", "2.3"), ElementsAre("openSUSE:Tumbleweed"));
  EXPECT_THAT(distributions("Fedora Project", "1.fc42"), IsEmpty());
  EXPECT_THAT(distributions("", "1.el9"), IsEmpty());
}

TEST(RpmDistribution, ReleasesOfRecordsAreThoseOfPackages) {
  EXPECT_EQ(rpm_release("Red Hat", "enterprise_linux:9::baseos"), "9");
  EXPECT_EQ(rpm_release("Red Hat", "rhel_eus:9.2::appstream"), "9");
  EXPECT_EQ(rpm_release("Red Hat", "openshift:4.14::el8"), "8");
  EXPECT_EQ(rpm_release("Rocky Linux", "9"), "9");
  EXPECT_EQ(rpm_release("AlmaLinux", "8.10"), "8");
  EXPECT_EQ(rpm_release("SUSE", "Linux Enterprise Server 15 SP5-LTSS"), "15.5");
  EXPECT_EQ(rpm_release("SUSE", "Linux Enterprise Module for Basesystem 15"), "15.0");
  EXPECT_EQ(rpm_release("SUSE", "Linux Enterprise Module for Python 3 15 SP6"), "15.6");
  EXPECT_EQ(rpm_release("SUSE", "Linux Enterprise Micro 5.5"), "15.5");
  EXPECT_EQ(rpm_release("SUSE", "Linux Enterprise Micro 5.3"), "15.4") << "not 15.3: it is made of SP4";
  EXPECT_EQ(rpm_release("SUSE", "Linux Micro 6.0"), "6.0");
  EXPECT_EQ(rpm_release("SUSE", "Linux Micro 6.2"), "16.0");
  EXPECT_EQ(rpm_release("SUSE", "Linux Micro 9.9"), "");
  EXPECT_EQ(rpm_release("SUSE", "Package Hub 15 SP6"), "15.6");
  for (const auto* own : {"Manager Server Module 4.3", "Enterprise Storage 7.1", "OpenStack Cloud 9", "x"})
    EXPECT_EQ(rpm_release("SUSE", own), "") << own;
  EXPECT_EQ(rpm_release("openSUSE", "Leap 15.6"), "15.6");
  EXPECT_EQ(rpm_release("openSUSE", "Tumbleweed"), "Tumbleweed");
  EXPECT_EQ(rpm_release("AlmaLinux", ""), "");
}

TEST(RpmDistribution, TheCodeStreamIsTheLeastRelease) {
  for (const auto* release : {"15.4", "15.5", "15.10", ""}) {
    EXPECT_TRUE(fits_release("SUSE", "15.4", release)) << release;
    EXPECT_TRUE(fits_release("openSUSE", "15.4", release)) << release;
  }
  for (const auto* release : {"15.3", "12.5", "16.5", "15", "1.5", "Tumbleweed"})
    EXPECT_FALSE(fits_release("SUSE", "15.4", release)) << release;
  EXPECT_TRUE(fits_release("SUSE", "15.4", "15.6", {"6.1-150400.5.30.1"}));
  EXPECT_FALSE(fits_release("SUSE", "15.4", "15.6", {"6.4.0-150600.23.7.3"})) << "15 SP6 has built it anew";
  EXPECT_TRUE(fits_release("SUSE", "15.4", "15.4", {"6.4.0-150600.23.7.3"}));
  EXPECT_TRUE(fits_release("SUSE", "", "15.4"));
  EXPECT_TRUE(fits_release("openSUSE", "Tumbleweed", "Tumbleweed"));
  EXPECT_FALSE(fits_release("openSUSE", "Tumbleweed", "15.6"));
  EXPECT_FALSE(fits_release("Rocky Linux", "8", "9"));
}

Artifact rpm(std::string name, std::string version, std::string vendor, std::string source) {
  Artifact out{.kind = "rpm",
               .name = std::move(name),
               .version = std::move(version),
               .files = {{RelPath::parse("packages/rpm/x.rpm"), 1, sha256("x"), {}, {}}}};
  out.facts = {{"architecture", "x86_64"}, {"vendor", std::move(vendor)}, {"source_rpm", std::move(source)}};
  return out;
}

Advisory fixed_in(std::string ecosystem, std::string name, std::string version) {
  Advisory out{
      .id = "A-1", .aliases = {}, .upstream = {"CVE-1", "CVE-2"}, .summary = {}, .severity = {}, .modified = {}};
  out.affected.push_back({.ecosystem = std::move(ecosystem),
                          .name = std::move(name),
                          .ranges = {{{{Event::introduced, "0"}, {Event::fixed, std::move(version)}}}},
                          .versions = {}});
  return out;
}

std::vector<Affected> affected(const Artifact& artifact, const Advisory& advisory) {
  AffectedArtifacts search(subjects_of({artifact}));
  search.consider(advisory);
  return search.result();
}

TEST(RpmAffected, APackageIsFoundByItsNameAndByItsSource) {
  const auto libs =
      rpm("openssl-libs", "1:3.0.7-27.el9_4", "Rocky Enterprise Software Foundation", "openssl-3.0.7-27.el9_4.src.rpm");
  const auto by_source = affected(libs, fixed_in("Rocky Linux:9", "openssl", "1:3.0.7-28.el9_4"));
  ASSERT_EQ(by_source.size(), 1u);
  EXPECT_THAT(by_source[0].fixed, ElementsAre("1:3.0.7-28.el9_4"));
  EXPECT_THAT(by_source[0].aliases, ElementsAre("CVE-1", "CVE-2"));
  EXPECT_EQ(by_source[0].subject, "A-1") << "a record that fixes several is not one with others that fix one of them";
  EXPECT_EQ(affected(libs, fixed_in("Rocky Linux:9", "openssl-libs", "1:3.0.7-28.el9_4")).size(), 1u);
  EXPECT_THAT(affected(libs, fixed_in("Rocky Linux:9", "openssl", "1:3.0.7-27.el9_4")), IsEmpty());
  EXPECT_THAT(affected(libs, fixed_in("Rocky Linux:9", "openssl", "3.0.7-28.el9_4")), IsEmpty()) << "the epoch";
  EXPECT_THAT(affected(libs, fixed_in("Rocky Linux:8", "openssl", "1:3.0.7-28.el8")), IsEmpty());
  EXPECT_THAT(affected(libs, fixed_in("AlmaLinux:9", "openssl", "1:3.0.7-28.el9_4")), IsEmpty());
  EXPECT_EQ(affected(libs, fixed_in("Rocky Linux", "openssl", "1:3.0.7-28.el9_4")).size(), 1u);
}

TEST(RpmAffected, ServicePacksShipWhatEarlierOnesBuilt) {
  const auto sail =
      rpm("sail", "1.0-150400.3.6.1", "SUSE LLC <https://www.suse.com/>", "sail-1.0-150400.3.6.1.src.rpm");
  const auto count = [&](std::string ecosystem) {
    return affected(sail, fixed_in(std::move(ecosystem), "sail", "1.0-150400.3.9.1")).size();
  };
  for (const auto* its :
       {"SUSE:Linux Enterprise Server 15 SP4-LTSS", "SUSE:Linux Enterprise Module for Basesystem 15 SP6",
        "SUSE:Manager Server Module 4.3", "SUSE:Linux Enterprise Micro 5.3", "openSUSE:Leap 15.6"})
    EXPECT_EQ(count(its), 1u) << its;
  for (const auto* others : {"SUSE:Linux Enterprise Server 15 SP3", "SUSE:Linux Enterprise Server 12 SP5",
                             "SUSE:Linux Micro 6.0", "openSUSE:Leap 15.3", "openSUSE:Tumbleweed"})
    EXPECT_EQ(count(others), 0u) << others;
  EXPECT_THAT(affected(sail, fixed_in("SUSE:Linux Enterprise Server 15 SP6", "sail", "2.0-150600.1.1")), IsEmpty())
      << "15 SP6 has built it anew";
}

// "Epoch: 1" of a subpackage with a version of its own is not its source's.
TEST(RpmAffected, ThePackagesEpochIsNotItsSources) {
  const auto wifi =
      rpm("iwl-firmware", "1:39.31-2.el9", "Rocky Enterprise Software Foundation", "firmware-20240905-2.el9.src.rpm");
  for (const auto* epoch : {"", "0:", "1:", "2:"}) {
    const auto fixed = [&](const char* version) {
      return affected(wifi, fixed_in("Rocky Linux:9", "firmware", std::string(epoch) + version));
    };
    ASSERT_EQ(fixed("20240905-3.el9").size(), 1u) << epoch;
    EXPECT_THAT(fixed("20240905-3.el9")[0].fixed, ElementsAre(std::string(epoch) + "20240905-3.el9"));
    EXPECT_THAT(fixed("20240905-2.el9"), IsEmpty()) << epoch;
  }
  EXPECT_THAT(affected(wifi, fixed_in("Rocky Linux:9", "iwl-firmware", "39.32-1.el9")), IsEmpty())
      << "its own is known";
  auto named = fixed_in("Rocky Linux:9", "firmware", "20240905-1.el9");
  named.affected[0].versions = {"0:20240905-2.el9"};
  EXPECT_EQ(affected(wifi, named).size(), 1u);
}

// Numbers of the source's are no versions of the package.
TEST(RpmAffected, FixesAreStatedForThePackageElseForItsSource) {
  const auto wifi =
      rpm("iwl-firmware", "1:39.31-2.el9", "Rocky Enterprise Software Foundation", "firmware-20240905-2.el9.src.rpm");
  const auto by_source = fixed_in("Rocky Linux:9", "firmware", "20240905-3.el9");
  const auto by_package = fixed_in("Rocky Linux:9", "iwl-firmware", "1:39.31-3.el9");
  EXPECT_EQ(affected(wifi, by_source).at(0).source, "firmware");
  EXPECT_EQ(affected(wifi, by_package).at(0).source, "");
  for (const bool first : {true, false}) {
    AffectedArtifacts search(subjects_of({wifi}));
    search.consider(first ? by_source : by_package);
    search.consider(first ? by_package : by_source);
    const auto both = search.result();
    ASSERT_EQ(both.size(), 1u);
    EXPECT_EQ(both[0].source, "");
    EXPECT_THAT(both[0].fixed, ElementsAre("1:39.31-3.el9"));
  }
}

TEST(RpmAffected, NamesOfOtherArchitecturesAndSourcesWithDashesAreCut) {
  auto foreign = rpm("python3-pip-wheel.i686", "21.3.1-1.el9", "Red Hat, Inc.", "python-pip-21.3.1-1.el9.src.rpm");
  foreign.facts["architecture"] = "i686";
  EXPECT_EQ(affected(foreign, fixed_in("Red Hat:enterprise_linux:9::baseos", "python3-pip-wheel", "21.4-1")).size(),
            1u);
  EXPECT_EQ(affected(foreign, fixed_in("Red Hat:enterprise_linux:9::baseos", "python-pip", "21.4-1")).size(), 1u);
  for (const auto* odd : {"", "x.src.rpm", "x-1.src.rpm", "-1-1.src.rpm", "--.src.rpm", "no package"}) {
    foreign.facts["source_rpm"] = odd;
    EXPECT_FALSE(known_packages(foreign).empty()) << odd;
  }
  EXPECT_THAT(known_packages(rpm("x", "1-1", "Somebody", "x-1-1.src.rpm")), IsEmpty());
}

}  // namespace
}  // namespace liftlock::advisory
