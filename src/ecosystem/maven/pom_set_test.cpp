#include "ecosystem/maven/pom_set.hpp"

#include <gmock/gmock.h>

#include "base/code_of.hpp"

namespace liftlock::maven {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

std::string dependency(const std::string& artifact, const std::string& version, const std::string& more = "") {
  return "<dependency><groupId>g</groupId><artifactId>" + artifact + "</artifactId>" +
         (version.empty() ? "" : "<version>" + version + "</version>") + more + "</dependency>";
}
std::string parent(const std::string& artifact) {
  return "<parent><groupId>g</groupId><artifactId>" + artifact + "</artifactId><version>1</version></parent>";
}

class PomSetTest : public testing::Test {
 protected:
  void add(const std::string& artifact, const std::string& version, const std::string& more,
           PomSet::Files files = PomSet::Files::more) {
    m_set.add("g:" + artifact, version,
              parse_pom("<project><groupId>g</groupId><artifactId>" + artifact + "</artifactId><version>" + version +
                        "</version>" + more + "</project>"),
              files);
  }
  PomSet m_set;
};

TEST_F(PomSetTest, NeedsAreWhatIsCompiledOrRunWith) {
  for (const auto* name : {"a", "b", "c", "d", "e"}) add(name, "1", "");
  add("app", "1",
      "<dependencies>" + dependency("a", "1") + dependency("b", "1", "<scope>runtime</scope>") +
          dependency("c", "1", "<scope>test</scope>") + dependency("d", "1", "<optional>true</optional>") +
          dependency("e", "1", "<scope>provided</scope>") + dependency("gone", "1") + "</dependencies>");
  EXPECT_THAT(m_set.needs("g:app", "1"), ElementsAre(Pair("g:a", "1"), Pair("g:b", "1")));
  EXPECT_THAT(m_set.needs("g:nobody", "1"), IsEmpty());
}

TEST_F(PomSetTest, VersionsComeFromParentsAndFromWhatIsImported) {
  add("a", "1", ""), add("a", "2", ""), add("b", "3", ""), add("c", "4", "");
  add("bom", "1",
      "<dependencyManagement><dependencies>" + dependency("b", "3") + dependency("a", "1") +
          "</dependencies></dependencyManagement>",
      PomSet::Files::pom_alone);
  add("top", "1",
      "<properties><a.version>9</a.version><bom>1</bom></properties><licenses><license><name>MIT License</name>"
      "</license></licenses><dependencies>" +
          dependency("c", "${c.version}") + "</dependencies><dependencyManagement><dependencies>" +
          dependency("a", "${a.version}") + dependency("bom", "${bom}", "<type>pom</type><scope>import</scope>") +
          "</dependencies></dependencyManagement>",
      PomSet::Files::pom_alone);
  add("app", "1",
      parent("top") + "<properties><a.version>2</a.version><c.version>4</c.version></properties><dependencies>" +
          dependency("a", "") + dependency("b", "") + "</dependencies>");
  EXPECT_THAT(m_set.needs("g:app", "1"),
              ElementsAre(Pair("g:a", "2"), Pair("g:b", "3"), Pair("g:c", "4"), Pair("g:top", "1")));
  EXPECT_THAT(m_set.needs("g:top", "1"), ElementsAre(Pair("g:bom", "1")));
  EXPECT_EQ(m_set.license("g:app", "1"), "MIT");
  EXPECT_EQ(m_set.license("g:a", "1"), "");
}

TEST_F(PomSetTest, WhereAnotherVersionWonThatOneIsNeeded) {
  add("a", "1", "", PomSet::Files::pom_alone);
  add("a", "2", "");
  add("app", "1", "<dependencies>" + dependency("a", "1") + "</dependencies>");
  EXPECT_THAT(m_set.needs("g:app", "1"), ElementsAre(Pair("g:a", "2")));
  add("range", "1", "<dependencies>" + dependency("a", "[1,3)") + "</dependencies>");
  EXPECT_THAT(m_set.needs("g:range", "1"), ElementsAre(Pair("g:a", "2")));
}

TEST_F(PomSetTest, ScopesComeFromDependencyManagementToo) {
  for (const auto* name : {"a", "b", "c", "d", "e", "f", "h"}) add(name, "1", "");
  const std::string test = "<scope>test</scope>";
  add("top", "1",
      "<dependencyManagement><dependencies>" + dependency("a", "1", test) + dependency("b", "1", test) +
          dependency("c", "1", "<optional>true</optional>") + dependency("d", "1", "<type>test-jar</type>" + test) +
          dependency("d", "1", "<type>jar</type>") + dependency("e", "1", "<classifier>tests</classifier>" + test) +
          dependency("e", "1") + dependency("h", "1", "<scope>provided</scope>") +
          "</dependencies></dependencyManagement>",
      PomSet::Files::pom_alone);
  add("app", "1",
      parent("top") + "<dependencies>" + dependency("a", "") + dependency("b", "", "<scope>compile</scope>") +
          dependency("c", "") + dependency("d", "") + dependency("e", "") + dependency("f", "1", test) +
          dependency("h", "1") + "</dependencies>");
  EXPECT_THAT(m_set.needs("g:app", "1"),
              ElementsAre(Pair("g:b", "1"), Pair("g:c", "1"), Pair("g:d", "1"), Pair("g:e", "1"), Pair("g:top", "1")))
      << "what the dependency states counts first; Maven does not manage <optional>; other files of a version are "
         "others";
}

std::string managed(const std::string& what) {
  return "<dependencyManagement><dependencies>" + what + "</dependencies></dependencyManagement>";
}

TEST_F(PomSetTest, WhatSeveralImportIsReadForEach) {
  add("a", "1", ""), add("a", "2", "");
  add("bom", "1", managed(dependency("a", "1")));
  const auto importing = managed(dependency("bom", "1", "<scope>import</scope>")) + "<dependencies>" +
                         dependency("a", "") + "</dependencies>";
  add("x", "1", importing), add("y", "1", importing);
  for (const auto* name : {"g:x", "g:y"})
    EXPECT_THAT(m_set.needs(name, "1"), ElementsAre(Pair("g:a", "1"), Pair("g:bom", "1"))) << name;
  add("bom", "1", managed(dependency("a", "2")));
  EXPECT_THAT(m_set.needs("g:x", "1"), ElementsAre(Pair("g:a", "2"), Pair("g:bom", "1"))) << "it is another now";
}

// Each of them has all versions of the parent.
TEST_F(PomSetTest, WhatIsManagedForOneArtifactHasABound) {
  std::string versions, imports;
  for (int i = 0; i < 10'000; ++i) versions += dependency("a" + std::to_string(i), "1");
  add("top", "1", managed(versions));
  for (int i = 0; i < 21; ++i) {
    const auto name = "bom" + std::to_string(i);
    add(name, "1", parent("top"));
    if (i < 19) imports += dependency(name, "1", "<scope>import</scope>");
  }
  add("app", "1", managed(imports));
  EXPECT_EQ(m_set.needs("g:app", "1").size(), 19u);
  for (const auto* name : {"bom19", "bom20"}) imports += dependency(name, "1", "<scope>import</scope>");
  add("greedy", "1", managed(imports));
  EXPECT_EQ(code_of([&] { m_set.needs("g:greedy", "1"); }), ErrorCode::limit_exceeded);
}

TEST_F(PomSetTest, CirclesEnd) {
  add("x", "1", parent("y") + "<dependencies>" + dependency("y", "1") + dependency("x", "1") + "</dependencies>");
  add("y", "1",
      parent("x") + "<dependencies>" + dependency("x", "1") + "</dependencies><dependencyManagement><dependencies>" +
          dependency("y", "1", "<scope>import</scope>") + dependency("x", "1", "<scope>import</scope>") +
          "</dependencies></dependencyManagement>");
  EXPECT_THAT(m_set.needs("g:x", "1"), ElementsAre(Pair("g:y", "1")));
  EXPECT_EQ(m_set.license("g:x", "1"), "");
}

}  // namespace
}  // namespace liftlock::maven
