#include "ecosystem/rpm/unknown_package.hpp"

#include <gmock/gmock.h>

#include "crypto/hash.hpp"

namespace liftlock::rpm {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class UnknownPackage : public testing::Test {
 protected:
  static PackageList list_of(const std::vector<std::pair<std::string, std::string>>& names_and_architectures) {
    PackageList out;
    for (const auto& [name, architecture] : names_and_architectures)
      out.emplace(name + architecture + ".rpm", ListedPackage{name, architecture, "1.0-1", sha256(name), 1});
    return out;
  }
  Error said(std::string_view wanted) const {
    return unknown_package(wanted, "x86_64", {{"https://one.example/", &m_one}, {"https://two.example/", &m_two}});
  }

  PackageList m_one = list_of({{"canal", "noarch"}, {"canal-tools", "x86_64"}, {"python3", "x86_64"}});
  PackageList m_two = list_of({{"lift", "i686"}});
};

TEST_F(UnknownPackage, IsNamedWithTheRepositoriesThatWereLookedIn) {
  EXPECT_THAT(said("boat").message(), AllOf(HasSubstr("no package 'boat' for x86_64"),
                                            HasSubstr("https://one.example/ (3 packages), https://two.example/ (1 "
                                                      "packages)")));
  EXPECT_EQ(said("boat").hint(), "name the repository that has it in `with`");
  EXPECT_THAT(said("bo\nat").message(), HasSubstr("'bo\\x0aat'"));
}

TEST_F(UnknownPackage, NamesThatAreNearAreShown) {
  EXPECT_THAT(said("cannal").hint(), HasSubstr("did you mean canal?"));
  EXPECT_THAT(said("tools").hint(), HasSubstr("did you mean canal-tools?"));
}

TEST_F(UnknownPackage, TheSameInAnotherVersionOrArchitectureIsShown) {
  EXPECT_EQ(said("canal-2.0").hint(), "there is canal-1.0-1.noarch");
  EXPECT_EQ(said("canal.i686").hint(), "there is canal-1.0-1.noarch");
  EXPECT_EQ(said("lift").hint(), "there is lift-1.0-1.i686");
  EXPECT_THAT(std::string(said("python3-yaml").hint()), Not(HasSubstr("there is")));
}

}  // namespace
}  // namespace liftlock::rpm
