#include "ecosystem/rpm/repository_metadata.hpp"

#include <gmock/gmock.h>

#include <fmt/format.h>

#include "base/error.hpp"
#include "os/gigabyte_fixture.hpp"

namespace liftlock::rpm {
namespace {

using testing::HasSubstr;

const std::string k_hex(64, 'a');

std::string repomd(const std::string& data) {
  return "<?xml version=\"1.0\"?><repomd xmlns=\"http://linux.duke.edu/metadata/repo\">" + data + "</repomd>";
}
std::string data(const std::string& type, const std::string& href, const std::string& checksum = "sha256") {
  return "<data type=\"" + type + "\"><checksum type=\"" + checksum + "\">" + k_hex +
         "</checksum><open-checksum type=\"sha256\">" + std::string(64, 'b') + "</open-checksum><location href=\"" +
         href + "\"/><size>12</size><open-size>34</open-size></data>";
}

TEST(RepoMd, ListsAreFoundByType) {
  const auto found = parse_repomd(repomd(data("primary", "repodata/p.xml.gz")), "repomd.xml");
  ASSERT_EQ(found.size(), 1u);
  const auto& primary = found.at("primary");
  EXPECT_EQ(primary.location, "repodata/p.xml.gz");
  EXPECT_EQ(primary.digest.hex(), k_hex);
  EXPECT_EQ(primary.size, 12u);
  EXPECT_EQ(primary.open_size, 34u);
}

TEST(RepoMd, TheRevisionIsANumberOrNothing) {
  EXPECT_EQ(repomd_revision(repomd("<revision> 1764000000\n</revision>"), "r"), 1764000000u);
  EXPECT_EQ(repomd_revision(repomd("<revision>2026-11</revision>"), "r"), std::nullopt);
  EXPECT_EQ(repomd_revision(repomd("<revision>5" + std::string(5000, ' ') + "\n7</revision>"), "r"), std::nullopt);
  EXPECT_EQ(repomd_revision(repomd("<data><revision>5</revision></data>"), "r"), std::nullopt);
}

TEST(RepoMd, WhatLiesElsewhereOrHasNoSha2IsLeftOut) {
  for (const auto* href : {"../p.xml", "/p.xml", "", "a/../../p", "p?x", "a//b", "a b"}) {
    EXPECT_TRUE(parse_repomd(repomd(data("primary", href)), "r").empty()) << href;
  }
  EXPECT_TRUE(parse_repomd(repomd(data("primary", "p", "sha")), "r").empty());
  EXPECT_TRUE(parse_repomd(repomd(data("primary", "p", "sha512")), "r").empty());
}

std::string why_not(const std::string& text) {
  try {
    (void)parse_repomd(text, "repomd.xml");
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(RepoMd, BrokenAndHostileDocumentsAreRefused) {
  EXPECT_THAT(why_not(""), HasSubstr("no sound XML"));
  EXPECT_THAT(why_not("<repomd>"), HasSubstr("no sound XML"));
  EXPECT_THAT(why_not("<html/>"), HasSubstr("no repomd.xml"));
  EXPECT_THAT(why_not("<!DOCTYPE r [<!ENTITY a \"x\">]><repomd>&a;</repomd>"), HasSubstr("document type"));
  std::string deep;
  for (int i = 0; i < 40; ++i) deep += "<a>";
  EXPECT_THAT(why_not(deep), HasSubstr("nested too deeply"));
}

std::string package(const std::string& name, const std::string& more = {}) {
  return "<package type=\"rpm\"><name>" + name +
         "</name><arch>x86_64</arch><version epoch=\"2\" ver=\"1.0\" rel=\"3\"/>" +
         "<checksum type=\"sha256\" pkgid=\"YES\">" + k_hex + "</checksum><size package=\"99\" installed=\"1\"/>" +
         "<location " + more + "href=\"Packages/" + name + ".rpm\"/><format><rpm:provides xmlns:rpm=\"r\">" +
         "<rpm:entry name=\"x\"/></rpm:provides></format></package>";
}

PackageList parse_primary(std::string_view text, const std::string& where) {
  PrimaryReader reader(where);
  reader.feed(text);
  return reader.finish();
}

TEST(Primary, PackagesAreFoundByLocation) {
  const auto found = parse_primary("<metadata>" + package("a") + package("b") + "</metadata>", "primary.xml");
  ASSERT_EQ(found.size(), 2u);
  const auto& one = found.at("Packages/a.rpm");
  EXPECT_EQ(one.name, "a");
  EXPECT_EQ(one.evr, "2:1.0-3");
  EXPECT_EQ(one.architecture, "x86_64");
  EXPECT_EQ(one.size, 99u);
}

TEST(Primary, NothingOfOnePackageGoesToTheNext) {
  const auto found =
      parse_primary("<metadata>" + package("a") +
                        "<package type=\"rpm\"><name>b</name><location href=\"b.rpm\"/></package></metadata>",
                    "primary.xml");
  EXPECT_EQ(found.size(), 1u);
  EXPECT_TRUE(
      parse_primary("<metadata>" + package("a", "xml:base=\"http://evil.test/\" ") + "</metadata>", "p").empty());
}

TEST(Primary, AGigabyteIsReadInLittleMemory) {
  const PeakMemory memory;
  PrimaryReader reader("primary.xml");
  reader.feed("<metadata>");
  const auto filler = "<format><rpm:license>" + std::string(200'000, 'x') + "</rpm:license></format></package>";
  std::size_t fed = 0;
  for (int i = 0; fed < k_gigabyte; ++i) {
    auto one = package(fmt::format("p{}", i));
    one.resize(one.size() - std::string_view("</package>").size());
    one += filler;
    reader.feed(one);
    fed += one.size();
  }
  reader.feed("</metadata>");
  EXPECT_GT(reader.finish().size(), 5000u);
  EXPECT_LT(memory.grown(), 32u << 20);
}

}  // namespace
}  // namespace liftlock::rpm
