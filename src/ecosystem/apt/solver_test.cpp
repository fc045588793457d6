#include "ecosystem/apt/solver.hpp"

#include <gmock/gmock.h>

#include "base/error.hpp"

namespace liftlock::apt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// "name version [field: value; …]" per line.
std::string packages(std::initializer_list<std::string_view> stanzas) {
  std::string out;
  for (const auto stanza : stanzas) {
    out += "Package: ";
    out += stanza;
    if (stanza.find("Architecture:") == std::string_view::npos) out += "\nArchitecture: amd64";
    out += "\n\n";
  }
  return out;
}

struct World {
  PackageIndex index;
  std::vector<PackageId> present;
  Recommends recommends = Recommends::no;

  explicit World(std::initializer_list<std::string_view> stanzas) {
    index.add(packages(stanzas), 0, PackageIndex::Kind::offered, "test");
  }
  void more(std::initializer_list<std::string_view> stanzas) {
    index.add(packages(stanzas), 1, PackageIndex::Kind::offered, "test");
  }
  void install(std::initializer_list<std::string_view> stanzas) {
    const auto first = index.size();
    index.add(packages(stanzas), 2, PackageIndex::Kind::installed, "status");
    for (auto id = first; id < index.size(); ++id) present.push_back(static_cast<PackageId>(id));
  }
  Solution solution(std::initializer_list<std::string_view> requests) const {
    SolveInput input{index, "amd64", {}, present, recommends, {"stable", "testing"}};
    for (const auto request : requests) input.requests.push_back(parse_request(request));
    return solve(input);
  }
  std::vector<std::string> names(std::initializer_list<std::string_view> requests) const {
    std::vector<std::string> out;
    for (const auto id : solution(requests).chosen) {
      out.push_back(std::string(index[id].name) + "_" + std::string(index[id].version));
    }
    return out;
  }
  std::string failure(std::initializer_list<std::string_view> requests) const {
    try {
      (void)solution(requests);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::unresolvable);
      return error.message();
    }
    return "it was resolved";
  }
};

TEST(Solver, ClosesOverDependsAndPreDepends) {
  const World world({"a\nVersion: 1\nDepends: b (>= 2), c", "b\nVersion: 2\nPre-Depends: d", "c\nVersion: 1",
                     "d\nVersion: 1\nDepends: a", "unrelated\nVersion: 1"});
  EXPECT_THAT(world.names({"a"}), ElementsAre("a_1", "b_2", "c_1", "d_1"));
}

TEST(Solver, TakesTheHighestVersionThatFitsEverybody) {
  World world({"a\nVersion: 1\nDepends: b, c", "b\nVersion: 1", "b\nVersion: 3", "c\nVersion: 1\nDepends: b (<< 3)"});
  world.more({"b\nVersion: 2"});
  EXPECT_THAT(world.names({"b"}), ElementsAre("b_3"));
  EXPECT_THAT(world.names({"a"}), ElementsAre("a_1", "b_2", "c_1"));
  EXPECT_THAT(world.names({"b=1"}), ElementsAre("b_1"));
  EXPECT_THAT(world.names({"b/testing"}), ElementsAre("b_2"));
}

TEST(Solver, PrefersWhatIsChosenAlreadyThenTheFirstAlternative) {
  const World world({"a\nVersion: 1\nDepends: x | y", "b\nVersion: 1\nDepends: y", "x\nVersion: 1", "y\nVersion: 1"});
  EXPECT_THAT(world.names({"a"}), ElementsAre("a_1", "x_1"));
  EXPECT_THAT(world.names({"a", "b"}), ElementsAre("a_1", "b_1", "y_1"));
}

TEST(Solver, FollowsProvidesAndTheirVersions) {
  const World world({"a\nVersion: 1\nDepends: mta", "b\nVersion: 1\nDepends: api (>= 2)",
                     "exim\nVersion: 1\nProvides: mta\nPriority: optional",
                     "postfix\nVersion: 1\nProvides: mta\nPriority: standard", "old\nVersion: 1\nProvides: api (= 1)",
                     "plain\nVersion: 1\nProvides: api", "new\nVersion: 1\nProvides: api (= 2.1)"});
  EXPECT_THAT(world.names({"a"}), ElementsAre("a_1", "postfix_1"));
  EXPECT_THAT(world.names({"b"}), ElementsAre("b_1", "new_1"));
}

TEST(Solver, GoesBackOnAChoiceThatConflicts) {
  const World world({"a\nVersion: 1\nDepends: x | y, z", "x\nVersion: 1\nDepends: deep",
                     "deep\nVersion: 1\nConflicts: z", "y\nVersion: 1", "z\nVersion: 1"});
  EXPECT_THAT(world.names({"a"}), ElementsAre("a_1", "y_1", "z_1"));
}

TEST(Solver, TreatsConflictsAndBreaksAsErrors) {
  const World world({"a\nVersion: 1\nDepends: b, c", "b\nVersion: 1\nBreaks: c (<< 2)", "c\nVersion: 1",
                     "d\nVersion: 1\nProvides: v\nConflicts: v", "e\nVersion: 1\nProvides: v"});
  EXPECT_THAT(world.failure({"a"}), HasSubstr("c 1 does not go with b 1"));
  EXPECT_THAT(world.failure({"d", "e"}), HasSubstr("does not go with"));
  EXPECT_THAT(world.names({"d"}), ElementsAre("d_1"));
}

TEST(Solver, NamesTheChainThatCannotBeMet) {
  const World world({"a\nVersion: 1\nDepends: b", "b\nVersion: 2\nDepends: libmissing (>= 3) | other"});
  EXPECT_THAT(world.failure({"a"}),
              HasSubstr("libmissing (>= 3) | other cannot be had, needed by b 2, which is needed by a 1"));
  EXPECT_THAT(world.failure({"aa"}), HasSubstr("is 'a' meant?"));
}

TEST(Solver, LeavesOutWhatTheBaseHas) {
  World world({"a\nVersion: 1\nDepends: libc (>= 2), tool", "libc\nVersion: 2", "tool\nVersion: 2\nDepends: libc"});
  world.install(
      {"libc\nVersion: 2\nStatus: install ok installed", "tool\nVersion: 1\nStatus: deinstall ok config-files"});
  EXPECT_THAT(world.names({"a"}), ElementsAre("a_1", "tool_2"));
}

TEST(Solver, ReplacesWhatTheBaseHasTooOld) {
  World world({"a\nVersion: 1\nDepends: libc (>= 2)", "libc\nVersion: 2\nBreaks: locales (<< 2)",
               "libc-bin\nVersion: 2\nDepends: libc (= 2)", "locales\nVersion: 2"});
  world.install({"libc\nVersion: 1\nStatus: install ok installed",
                 "libc-bin\nVersion: 1\nStatus: install ok installed\nDepends: libc (<< 2)",
                 "locales\nVersion: 1\nStatus: install ok installed"});
  EXPECT_THAT(world.failure({"a"}), HasSubstr("libc (<< 2) cannot be had, needed by libc-bin 1"));
  World good(
      {"a\nVersion: 1\nDepends: libc (>= 2)", "libc\nVersion: 2\nBreaks: locales (<< 2)", "locales\nVersion: 2"});
  good.install({"libc\nVersion: 1\nStatus: install ok installed", "locales\nVersion: 1\nStatus: install ok installed"});
  EXPECT_THAT(good.names({"a"}), ElementsAre("a_1", "libc_2", "locales_2"));
}

TEST(Solver, KnowsForeignArchitectures) {
  const World world({"wine\nVersion: 1\nArchitecture: i386\nDepends: libc, tool, script:any",
                     "libc\nVersion: 1\nMulti-Arch: same", "libc\nVersion: 1\nArchitecture: i386\nMulti-Arch: same",
                     "tool\nVersion: 1\nMulti-Arch: foreign", "script\nVersion: 1\nMulti-Arch: allowed",
                     "plain\nVersion: 1", "b\nVersion: 1\nArchitecture: i386\nDepends: plain",
                     "c\nVersion: 1\nDepends: libc:i386"});
  EXPECT_THAT(world.names({"wine:i386", "libc"}), ElementsAre("libc_1", "libc_1", "script_1", "tool_1", "wine_1"));
  EXPECT_THAT(world.failure({"b:i386"}), HasSubstr("that version or architecture"));
  EXPECT_THAT(world.names({"c"}), ElementsAre("c_1", "libc_1"));
}

TEST(Solver, RecommendsAreTakenOnlyWhenAskedForAndPossible) {
  World world({"a\nVersion: 1\nRecommends: r, missing", "r\nVersion: 1"});
  EXPECT_THAT(world.names({"a"}), ElementsAre("a_1"));
  world.recommends = Recommends::yes;
  EXPECT_THAT(world.names({"a"}), ElementsAre("a_1", "r_1"));
  EXPECT_THAT(world.solution({"a"}).notes, ElementsAre(HasSubstr("missing")));
}

TEST(Solver, TellsWhoNeedsWhom) {
  const World world({"a\nVersion: 1\nDepends: b", "b\nVersion: 1"});
  const auto solution = world.solution({"a"});
  EXPECT_EQ(solution.needs.at(solution.chosen[0]), std::vector<PackageId>{solution.chosen[1]});
  EXPECT_EQ(solution.reasons.at(solution.chosen[1]), "needed by a 1");
}

TEST(Solver, RefusesRequestsThatNameNoPackage) {
  for (const auto* bad : {"", "a=", "a:", "a b", "a=x", "a/"}) EXPECT_THROW(parse_request(bad), Error) << bad;
}

}  // namespace
}  // namespace liftlock::apt
