#include "ecosystem/maven/pom.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "base/error.hpp"
#include "ecosystem/maven/license_name.hpp"

namespace liftlock::maven {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string project(const std::string& more) {
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<project xmlns=\"http://maven.apache.org/POM/4.0.0\">" + more +
         "</project>";
}

std::string why_not(const std::string& text) {
  try {
    require_coordinates(parse_pom(text), "example.test:demo", "1.0");
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

const std::string k_own = "<groupId>example.test</groupId><artifactId>demo</artifactId><version>\n 1.0 \n</version>";

TEST(Pom, IsReadAsFarAsItIsNeeded) {
  const auto pom = parse_pom(project(
      "<parent><groupId>example.test</groupId><artifactId>top</artifactId><version>7</version></parent>"
      "<artifactId>demo</artifactId><name>&oslash; &amp; more</name>"
      "<licenses><license><name>MIT "
      "License</name><url>x</url></license><license><url>http://l</url></license></licenses>"
      "<properties><a.version>2.0</a.version><deep><x>y</x></deep></properties>"
      "<dependencies><dependency><groupId>g</groupId><artifactId>a</artifactId><version>${a.version}</version>"
      "<exclusions><exclusion><groupId>no</groupId><artifactId>no</artifactId></exclusion></exclusions></dependency>"
      "<dependency><groupId>g</groupId><artifactId>b</artifactId><classifier>c</classifier>"
      "<scope>test</scope><optional>true</optional></dependency></dependencies>"
      "<dependencyManagement><dependencies><dependency><groupId>g</groupId><artifactId>bom</artifactId>"
      "<version>1</version><type>pom</type><scope>import</scope></dependency></dependencies></dependencyManagement>"
      "<build><plugins><plugin><dependencies><dependency><groupId>p</groupId></dependency></dependencies></plugin>"
      "</plugins></build>"));
  EXPECT_EQ(pom.coordinates(), (Coordinates{"example.test", "demo", "7"}));
  EXPECT_THAT(pom.licenses, ElementsAre("MIT License", "http://l"));
  ASSERT_EQ(pom.dependencies.size(), 2u);
  EXPECT_EQ(pom.dependencies[0].what, (Coordinates{"g", "a", "${a.version}"}));
  EXPECT_TRUE(pom.dependencies[1].optional);
  EXPECT_EQ(pom.dependencies[1].scope, "test");
  EXPECT_EQ(pom.dependencies[1].classifier, "c");
  ASSERT_EQ(pom.managed.size(), 1u);
  EXPECT_EQ(pom.managed[0].scope, "import");
  EXPECT_EQ(pom.properties.at("a.version"), "2.0");
  const auto back = pom_from_json(to_json(pom));
  EXPECT_EQ(back.coordinates(), pom.coordinates());
  EXPECT_EQ(to_json(back), to_json(pom));
}

TEST(Pom, WhatUnfoldsOrNamesFilesIsRefused) {
  std::string laughs = "<!DOCTYPE project [<!ENTITY l0 \"ha\">";
  for (int i = 1; i < 20; ++i) laughs += fmt::format("<!ENTITY l{} \"&l{};&l{};\">", i, i - 1, i - 1);
  laughs += "]>";
  EXPECT_THAT(why_not(laughs + "<project>&l19;</project>"), HasSubstr("document type declaration"));
  EXPECT_THAT(why_not("<!DOCTYPE project [<!ENTITY f SYSTEM \"file:///etc/passwd\">]><project>&f;</project>"),
              HasSubstr("document type declaration"));
  EXPECT_THAT(why_not("<!DOCTYPE project SYSTEM \"http://example.test/x.dtd\"><project/>"),
              HasSubstr("document type declaration"));
}

TEST(Pom, WhatIsTooDeepOrTooMuchIsRefused) {
  std::string deep;
  for (int i = 0; i < 200'000; ++i) deep += "<a>";
  EXPECT_THAT(why_not(project(deep)), HasSubstr("nested too deeply"));
  EXPECT_THAT(why_not("<project" + std::string(5u << 20, ' ') + "/>"), HasSubstr("a tag or a comment"));
  EXPECT_THAT(why_not(std::string((8u << 20) + 1, ' ')), HasSubstr("larger than 8.0 MiB"));
  EXPECT_THAT(why_not(project("<groupId>" + std::string(2000, 'g') + "</groupId>")),
              HasSubstr("where a name is expected"));
  std::string many;
  for (int i = 0; i < 10'001; ++i) many += "<dependency/>";
  EXPECT_THAT(why_not(project("<dependencies>" + many + "</dependencies>")), HasSubstr("too many dependencies"));
}

TEST(Pom, WhatIsNoPomIsRefused) {
  EXPECT_THAT(why_not("<html><project/></html>"), HasSubstr("it is no POM, but <html>"));
  for (const auto* text : {"", "PK\x03\x04", "<project>", "<project><a></b></project>", "{}"})
    EXPECT_THAT(why_not(text), HasSubstr("no sound XML")) << text;
  EXPECT_THAT(why_not(project(k_own + "<version>2</version>")), HasSubstr("has <version> twice"));
  EXPECT_THAT(why_not(project("<parent/><parent/>")), HasSubstr("has <parent> twice"));
}

TEST(Pom, ItsCoordinatesAreThoseOfItsPlace) {
  EXPECT_EQ(why_not(project(k_own)), "");
  EXPECT_THAT(why_not(project("<groupId>evil.test</groupId><artifactId>demo</artifactId><version>1.0</version>")),
              HasSubstr("the POM says groupId 'evil.test', and lies where 'example.test' has its own"));
  EXPECT_THAT(why_not(project("<groupId>example.test</groupId><artifactId>x</artifactId><version>1.0</version>")),
              HasSubstr("artifactId 'x'"));
  EXPECT_THAT(why_not(project("<groupId>example.test</groupId><artifactId>demo</artifactId><version>6</version>")),
              HasSubstr("version '6'"));
  EXPECT_THAT(why_not(project("<groupId>../..</groupId><artifactId>demo</artifactId><version>1.0</version>")),
              HasSubstr("groupId '../..'"));
  EXPECT_THAT(why_not("<project/>"), HasSubstr("groupId ''"));
  const std::string parent =
      "<parent><groupId>example.test</groupId><artifactId>top</artifactId><version>1.0</version></parent>";
  EXPECT_EQ(why_not(project(parent + "<artifactId>demo</artifactId>")), "");
  EXPECT_EQ(why_not(project(parent + "<artifactId>demo</artifactId><version>${project.parent.version}</version>")), "");
  EXPECT_THAT(why_not(project(parent + "<artifactId>demo</artifactId><version>${v}</version>"
                                       "<properties><v>2</v></properties>")),
              HasSubstr("version '2'"));
  EXPECT_EQ(why_not(project(parent + "<artifactId>demo</artifactId><version>${revision}</version>")), "")
      << "a parent's property may be right";
}

TEST(Pom, ExpressionsThatUnfoldWithoutEndStayUnknown) {
  const auto pom = parse_pom(project(k_own + "<properties><a>${b}${b}</a><b>${c}${c}</b><c>${a}</c><me>${me}</me>"
                                             "<ok>-${project.artifactId}-</ok></properties>"));
  const auto lookup = [&](std::string_view name) { return look_up(pom, name); };
  EXPECT_EQ(interpolated("${a}", lookup), std::nullopt);
  EXPECT_EQ(interpolated("${me}", lookup), std::nullopt);
  EXPECT_EQ(interpolated("${", lookup), std::nullopt);
  EXPECT_EQ(interpolated("x${ok}y", lookup), "x-demo-y");
  std::string doubling;
  for (int i = 0; i < 19; ++i) doubling += fmt::format("<p{}>${{p{}}}${{p{}}}</p{}>", i, i + 1, i + 1, i);
  const auto bomb =
      parse_pom(project("<properties>" + doubling + "<p19>" + std::string(900, 'x') + "</p19></properties>"));
  EXPECT_EQ(interpolated("${p0}", [&](std::string_view name) { return look_up(bomb, name); }), std::nullopt);
}

TEST(Pom, ExpressionsThatUnfoldToNothingAreBoundedToo) {
  std::string empty;
  for (int i = 0; i < 18; ++i)
    empty += fmt::format("<p{}>${{p{}}}${{p{}}}${{p{}}}${{p{}}}</p{}>", i, i + 1, i + 1, i + 1, i + 1, i);
  const auto bomb = parse_pom(project("<version>${p0}</version><properties>" + empty + "<p18></p18></properties>"));
  int asked = 0;
  const auto lookup = [&](std::string_view name) -> std::optional<std::string> {
    if (++asked > 100'000) throw std::runtime_error("without end");
    return look_up(bomb, name);
  };
  EXPECT_EQ(interpolated("${p0}", lookup), std::nullopt);
  EXPECT_LE(asked, 100);
  EXPECT_EQ(interpolated("${p16}", lookup), "") << "few of them are no harm";
}

TEST(Licenses, CommonNamesAreThoseOfSpdx) {
  EXPECT_EQ(joined_licenses({"Apache License, Version 2.0"}), "Apache-2.0");
  EXPECT_EQ(joined_licenses({"The Apache Software License, Version 2.0", "Apache-2.0"}), "Apache-2.0");
  EXPECT_EQ(joined_licenses({"Eclipse Public License - v 1.0", "GNU Lesser General Public License"}),
            "EPL-1.0 OR GNU Lesser General Public License");
  EXPECT_EQ(joined_licenses({"EPL 2.0", "GPL2 w/ CPE"}), "EPL-2.0 OR GPL-2.0-only WITH Classpath-exception-2.0");
  EXPECT_EQ(joined_licenses({"The MIT License (MIT)"}), "MIT");
  EXPECT_EQ(joined_licenses({"Go Away License 2.0"}), "Go Away License 2.0");
  EXPECT_EQ(joined_licenses({}), "");
}

TEST(Licenses, TextsAreOnOneLineAndBounded) {
  const auto licenses = [](const std::vector<std::string>& names) {
    std::string all;
    for (const auto& name : names) all += "<license>" + name + "</license>";
    return joined_licenses(parse_pom(project("<licenses>" + all + "</licenses>")).licenses);
  };
  const auto name = [](const std::string& text) { return "<name>" + text + "</name>"; };
  EXPECT_EQ(licenses({name("The Weird\n   License")}), "The Weird License");
  EXPECT_EQ(licenses({name("The Weird\n\tLicense"), name("The Weird License")}), "The Weird License");
  EXPECT_EQ(licenses({name("a&#x7f;b")}), "a\\x7fb");
  EXPECT_EQ(licenses({name(std::string(1801, 'x'))}), "") << "a text is no name";
  EXPECT_EQ(licenses({name(std::string(1801, 'x')) + "<url>l</url>", name("MIT")}), "l OR MIT");
  std::vector<std::string> eight;
  for (char c = 'a'; c < 'i'; ++c) eight.push_back(name(std::string(900, c)));
  EXPECT_EQ(licenses(eight), "") << "too long to be of use";
  EXPECT_EQ(licenses({eight[0]}), std::string(900, 'a'));
}

}  // namespace
}  // namespace liftlock::maven
