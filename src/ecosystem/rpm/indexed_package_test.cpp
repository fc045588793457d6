#include "ecosystem/rpm/indexed_package.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "ecosystem/rpm/test_rpms.hpp"

namespace liftlock::rpm {
namespace {

using namespace testing_support;
using testing::HasSubstr;
using testing::Not;

IndexedPackage index_of(const TestRpm& rpm) {
  const auto fd = file_of(rpm.bytes());
  return index_package(PackageFile::read(fd.get()), sha256("x"), "Packages/x.rpm");
}

TEST(IndexedPackage, SaysWhatTheHeaderSays) {
  TestRpm rpm{.epoch = 3};
  rpm.files = {{"/usr/bin/", "tool"}, {"/usr/share/", "tool"}};
  rpm.modes = {0100755, 0040755};
  rpm.more = {texts_entry(1049, {"rpmlib(X)", "lib", "lib", "/bin/sh", "(a if b)"}),
              texts_entry(1050, {"1", "2:1.5-3", "2:1.5-3", "", ""}), numbers_entry(1048, {12, 12, 12, 512, 0})};
  const auto text = index_of(rpm).primary;
  EXPECT_THAT(text, HasSubstr("<version epoch=\"3\" ver=\"1.0\" rel=\"1\"/>"));
  EXPECT_THAT(text, HasSubstr("<rpm:entry name=\"tool\" flags=\"EQ\" epoch=\"0\" ver=\"1.0\" rel=\"1\"/>"));
  EXPECT_THAT(text, HasSubstr("    <rpm:requires>\n"
                              "      <rpm:entry name=\"lib\" flags=\"GE\" epoch=\"2\" ver=\"1.5\" rel=\"3\"/>\n"
                              "      <rpm:entry name=\"/bin/sh\" pre=\"1\"/>\n"
                              "      <rpm:entry name=\"(a if b)\"/>\n    </rpm:requires>\n"));
  EXPECT_THAT(text, HasSubstr("    <file>/usr/bin/tool</file>\n"));
  EXPECT_THAT(text, Not(HasSubstr("/usr/share/tool")));
  EXPECT_THAT(text, HasSubstr("<summary>A &lt;tool&gt;</summary>"));
}

TEST(IndexedPackage, NoTextLeavesItsElement) {
  TestRpm rpm;
  rpm.more = {text_entry(1005, "</description><package>\x01\xff \"&"), text_entry(1011, "\xef\xbf\xbf\xc3\xa9")};
  const auto text = index_of(rpm).primary;
  EXPECT_THAT(text, HasSubstr("<description>&lt;/description&gt;&lt;package&gt;?\xc3\xbf &quot;&amp;</description>"));
  EXPECT_THAT(text, HasSubstr("<rpm:vendor>?\xc3\xa9</rpm:vendor>"));
}

TEST(IndexedPackage, WhatIsMoreThanAListMayHoldIsRefused) {
  // The same paths in two lists: each is small enough, both are not.
  TestRpm rpm;
  const std::uint32_t count = 5000;
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < count; ++i) names.push_back(std::to_string(i));
  rpm.more = {texts_entry(1117, names), texts_entry(1118, {"/bin/" + std::string(3500, 'x') + "/"}),
              numbers_entry(1116, std::vector<std::uint32_t>(count)),
              numbers_entry(1037, std::vector<std::uint32_t>(count)),
              numbers_entry(1030, std::vector<std::uint32_t>(count, 0100644), 3)};
  EXPECT_THROW(index_of(rpm), Error);
}

TEST(IndexedPackage, ComesBackFromFactsAsItWas) {
  const auto made = index_of({});
  const auto back = indexed_package_from_facts(to_facts(made));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->primary, made.primary);
  EXPECT_EQ(back->filelists, made.filelists);
  EXPECT_EQ(back->other, made.other);
}

bool is_taken(const IndexedPackage& package) {
  return indexed_package_from_facts(to_facts(package)).has_value();
}

TEST(IndexedPackage, FactsThatAreMoreThanOnePackageAreNotTaken) {
  const auto good = index_of({});
  EXPECT_TRUE(is_taken(good));
  auto bad = good;
  bad.primary += good.primary;
  EXPECT_FALSE(is_taken(bad));
  bad = good;
  bad.primary.insert(bad.primary.find("  <format>"), "<package type=\"rpm\"/>");
  EXPECT_FALSE(is_taken(bad));
  bad = good;
  bad.primary.insert(bad.primary.find("  <format>"), "<package\ntype=\"rpm\"/>");
  EXPECT_FALSE(is_taken(bad));
  bad = good;
  bad.other.insert(bad.other.find('\n'), "<!-- ");  // hides what follows
  EXPECT_FALSE(is_taken(bad));
  bad = good;
  bad.filelists.insert(bad.filelists.find("</file>"), "\xff");
  EXPECT_FALSE(is_taken(bad));
  bad = good;
  bad.filelists.clear();
  EXPECT_FALSE(is_taken(bad));
}

TEST(IndexedPackage, BrokenFactsAreNotTaken) {
  const auto good = to_facts(index_of({}));
  const auto with = [&](const std::string& pointer, const Json& value) {
    auto out = good;
    out[Json::json_pointer(pointer)] = value;
    return indexed_package_from_facts(out).has_value();
  };
  const std::uint64_t first = good["sizes"][0];
  EXPECT_TRUE(with("/sizes/0", first));
  EXPECT_FALSE(with("/sizes/0", first + 1));
  EXPECT_FALSE(with("/sizes/0", -1));
  EXPECT_FALSE(with("/sizes/0", ~std::uint64_t{0}));
  EXPECT_FALSE(with("/sizes", Json::array()));
  EXPECT_FALSE(with("/zlib", "eJw="));
  EXPECT_FALSE(with("/zlib", "?"));
  EXPECT_FALSE(with("/zlib", 1));
  EXPECT_FALSE(indexed_package_from_facts(Json::object()));
  EXPECT_FALSE(indexed_package_from_facts("text"));
}

}  // namespace
}  // namespace liftlock::rpm
