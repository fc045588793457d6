#include "ecosystem/go/module_path.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "ecosystem/go/go_mod.hpp"
#include "ecosystem/go/go_sum.hpp"
#include "ecosystem/go/module_zip.hpp"

namespace liftlock::go {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(ModulePath, IsWhatGoTakes) {
  for (const auto* good : {"example.com/a", "github.com/BurntSushi/toml", "gopkg.in/check.v1", "a.b/c-d_e~f"})
    EXPECT_TRUE(is_module_path(good)) << good;
  for (const auto* bad : {"", "/a", "a/", "a//b", "a/../b", "a/./b", "a/.b", "a./b", "a b", "a@b", "a\\b", "a/con",
                          "a:b", "ä/b", "-a/b", "a!b"})
    EXPECT_FALSE(is_module_path(bad)) << bad;
}

TEST(ModulePath, VersionsAreCanonical) {
  for (const auto* good : {"v1.2.3", "v0.0.0-20161208181325-20d25e280405", "v2.0.0+incompatible", "v1.0.0-rc.1"})
    EXPECT_TRUE(is_module_version(good)) << good;
  for (const auto* bad : {"", "v", "1.2.3", "v1", "v1.2", "v1.2.3.4", "v01.0.0", "v1.0.0+meta", "v1.0.0-", "v1.0.0-01",
                          "v1.0.0/x", "v1.0.0-a..b", "latest"})
    EXPECT_FALSE(is_module_version(bad)) << bad;
}

TEST(ModulePath, CapitalsAreEscaped) {
  EXPECT_EQ(escape_module("github.com/BurntSushi/toml"), "github.com/!burnt!sushi/toml");
  EXPECT_EQ(unescape_module("github.com/!burnt!sushi/toml"), "github.com/BurntSushi/toml");
  for (const auto* bad : {"github.com/BurntSushi", "a!", "a!B", "a!1"}) EXPECT_FALSE(unescape_module(bad)) << bad;
}

TEST(ModulePath, VersionsAreOrderedAsSemVerSays) {
  const std::vector<std::string> ordered = {
      "v0.9.0",      "v1.0.0-alpha", "v1.0.0-alpha.1", "v1.0.0-alpha.beta", "v1.0.0-beta.2",      "v1.0.0-beta.11",
      "v1.0.0-rc.1", "v1.0.0",       "v1.9.0",         "v1.10.0",           "v2.0.0+incompatible"};
  for (std::size_t i = 0; i < ordered.size(); ++i) {
    for (std::size_t j = 0; j < ordered.size(); ++j) {
      EXPECT_EQ(compare_versions(ordered[i], ordered[j]), i < j   ? -1
                                                          : i > j ? 1
                                                                  : 0)
          << ordered[i] << " " << ordered[j];
    }
  }
  EXPECT_EQ(pseudo_version_time("v0.0.0-20161208181325-20d25e280405"), "20161208181325");
  EXPECT_EQ(pseudo_version_time("v1.2.4-0.20191109021931-daa7c04131f5"), "20191109021931");
  EXPECT_EQ(pseudo_version_time("v1.2.3-pre.0.20191109021931-daa7c04131f5"), "20191109021931");
  EXPECT_FALSE(pseudo_version_time("v1.2.3-rc.1"));
  EXPECT_EQ(info_of("v1.2.3"), R"({"Version":"v1.2.3"})");
  EXPECT_EQ(info_of("v0.0.0-20161208181325-20d25e280405"),
            R"({"Time":"2016-12-08T18:13:25Z","Version":"v0.0.0-20161208181325-20d25e280405"})");
}

const std::string k_one = "h1:" + std::string(43, 'A') + "=";
const std::string k_two = "h1:" + std::string(42, 'B') + "A=";

std::string why(const std::string& text) {
  try {
    parse_go_sum(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unresolvable);
    return error.what();
  }
  return "accepted";
}

TEST(GoSum, TellsWholeModulesFromThoseWithAGoModOnly) {
  const auto sums = parse_go_sum("b.example/x v1.10.0 " + k_one + "\nb.example/x v1.10.0/go.mod " + k_two +
                                 "\n\nb.example/x v1.9.0/go.mod " + k_two + "\na.example/y v0.1.0 h2:xyz\n");
  ASSERT_EQ(sums.size(), 2u);
  EXPECT_EQ(sums[0].version, "v1.9.0");
  EXPECT_EQ(sums[0].zip, "");
  EXPECT_EQ(sums[1].zip, k_one);
  EXPECT_EQ(sums[1].mod, k_two);
}

TEST(GoSum, RefusesWhatItCannotVouchFor) {
  EXPECT_THAT(why("a.example/x v1.0.0\n"), HasSubstr("line 1: it is not MODULE VERSION HASH"));
  EXPECT_THAT(why("a.example/x v1.0.0 " + k_one + " more\n"), HasSubstr("not MODULE"));
  EXPECT_THAT(why("a.example/../x v1.0.0 " + k_one), HasSubstr("no module"));
  EXPECT_THAT(why("a.example/x v1 " + k_one), HasSubstr("no version"));
  EXPECT_THAT(why("a.example/x v1.0.0 h1:abc"), HasSubstr("no h1"));
  EXPECT_THAT(why("a.example/x v1.0.0 " + k_one + "\na.example/x v1.0.0 " + k_two),
              HasSubstr("line 2: it has a hash already"));
  EXPECT_EQ(why("a.example/x v1.0.0 " + k_one + "\na.example/x v1.0.0 " + k_one), "accepted");
}

TEST(GoMod, TellsRequirementsAndReplacements) {
  const auto mod = parse_go_mod(
      "// a comment\nmodule example.com/app // here\ngo 1.21\ntoolchain go1.22.0\nrequire a.example/x v1.0.0\n"
      "require (\n\tb.example/y v2.0.0+incompatible // indirect\n\t\"c.example/z\" v0.1.0\n)\n"
      "replace b.example/y => ../y\nreplace (\n\tc.example/z v0.1.0 => d.example/z v0.2.0\n)\nnewer (\n x y z\n)\n");
  EXPECT_EQ(mod.module, "example.com/app");
  EXPECT_THAT(mod.requirements,
              ElementsAre(Requirement{"a.example/x", "v1.0.0"}, Requirement{"b.example/y", "v2.0.0+incompatible"},
                          Requirement{"c.example/z", "v0.1.0"}));
  EXPECT_THAT(mod.replaced, ElementsAre("b.example/y", "c.example/z"));
  for (const auto* text : {"", "go 1.21", "module", "module (", "\"", "`"})
    EXPECT_THROW(parse_go_mod(text), Error) << text;
}

TEST(Hashes, AreThoseOfGo) {
  // As `go mod download -json` of a module with this go.mod says.
  EXPECT_EQ(h1_of_go_mod("module gopkg.in/check.v1\n"), "h1:Co6ibVJAznAaIkqp8huTwlJQCZ016jof/cbN4VW5Yz0=");
}

}  // namespace
}  // namespace liftlock::go
