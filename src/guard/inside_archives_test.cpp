// What a guard sees that unpacks.
#include "guard/inside_archives.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>

#include "archive/archive_fixture.hpp"
#include "base/error.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::set<ContentType> k_all = {ContentType::text,  ContentType::empty, ContentType::zip,  ContentType::gzip,
                                     ContentType::xz,    ContentType::zstd,  ContentType::tar,  ContentType::ar,
                                     ContentType::bzip2, ContentType::link,  ContentType::json, ContentType::device};

InsideReport looked(const std::string& bytes, const UnpackRules& rules) {
  const TemporaryFolder folder;
  write_file_atomically(folder.path() / "file", bytes);
  const auto fd = open_file(folder.path() / "file", O_RDONLY);
  // As through the cell.
  return parse_inside_answer(answer_inside_request(write_inside_request(type_of_bytes(bytes), 1, rules), fd.get()));
}

/// "rule path" of each breach.
std::vector<std::string> breaches(const std::string& bytes, const UnpackRules& rules) {
  std::vector<std::string> out;
  for (const auto& one : looked(bytes, rules).breaches) out.push_back(std::string(name(one.rule)) + " " + one.path);
  return out;
}

std::vector<std::string> at(unsigned max_nesting, const std::string& bytes, std::set<ContentType> types = k_all) {
  return breaches(bytes, {.max_nesting = max_nesting, .types = std::move(types)});
}

std::string tar_of(const std::vector<TestMember>& members) {
  return test_archive("ustar", "none", members);
}
std::string zip_of(const std::vector<TestMember>& members) {
  return test_archive("zip", "none", members);
}

TEST(InsideArchives, EachContainerAndEachCompressionIsALevel) {
  const auto tar = tar_of({{"a.txt", "words"}, {"folder", "", S_IFDIR}, {"folder/b.txt", "words"}});
  EXPECT_THAT(at(1, tar), IsEmpty());
  EXPECT_THAT(at(0, tar), ElementsAre("nesting "));
  for (const auto* filter : {"gzip", "xz", "zstd", "bzip2"}) {
    const auto packed = test_compressed(filter, tar);
    EXPECT_THAT(at(2, packed), IsEmpty()) << filter;
    EXPECT_THAT(at(1, packed), ElementsAre("nesting !")) << filter;
  }
  const auto deb =
      test_archive("ar", "none", {{"debian-binary", "2.0\n"}, {"control.tar.xz", test_compressed("xz", tar)}});
  EXPECT_EQ(type_of_bytes(deb), ContentType::deb);
  EXPECT_THAT(at(3, deb), IsEmpty());
  EXPECT_THAT(at(2, deb), ElementsAre("nesting !control.tar.xz!"));
  EXPECT_THAT(at(1, deb), ElementsAre("nesting !control.tar.xz"));
}

TEST(InsideArchives, TheSameCompressionTwiceIsTwoLevels) {
  const auto twice = test_compressed("gzip", test_compressed("gzip", "words"));
  EXPECT_THAT(at(2, twice), IsEmpty());
  EXPECT_THAT(at(1, twice), ElementsAre("nesting !"));
  auto types = k_all;
  types.erase(ContentType::gzip);
  EXPECT_THAT(at(2, twice, types), ElementsAre("nested-type !"));
}

TEST(InsideArchives, ZipsLieInEverything) {
  const auto zip = zip_of({{"a.txt", "words"}, {"b.json", "{}"}});
  EXPECT_THAT(at(1, zip), IsEmpty());
  EXPECT_THAT(at(2, zip_of({{"in.zip", zip}})), IsEmpty());
  EXPECT_THAT(at(1, zip_of({{"in.txt", zip}})), ElementsAre("nesting !in.txt")) << "whatever it is called";
  EXPECT_THAT(at(3, test_compressed("xz", tar_of({{"in.whl", zip}}))), IsEmpty());
  EXPECT_THAT(at(2, test_compressed("xz", tar_of({{"in.whl", zip}}))), ElementsAre("nesting !!in.whl"));
  EXPECT_THAT(at(1, zip, {ContentType::text}), ElementsAre("nested-type !b.json"));
}

TEST(InsideArchives, WhatHidesIsFound) {
  const auto zip = zip_of({{"a.txt", "words"}});
  const std::string large(100'000, 'x');
  EXPECT_THAT(at(5, tar_of({{"a", large + zip}})), ElementsAre("unreadable !a")) << "ends as a zip";
  EXPECT_THAT(at(1, tar_of({{"a", large + zip}})), ElementsAre("nesting !a"));
  const auto tar = tar_of({{"a", "words"}});
  EXPECT_THAT(at(1, tar + tar_of({{"b",
                                   "\x7f"
                                   "ELF"}})),
              ElementsAre("nested-type !b"))
      << "behind the end of a tar";
  EXPECT_THAT(at(1, tar + std::string(512, 'x')), ElementsAre("unreadable "));
  EXPECT_THAT(at(1, tar_of({{"a", std::string(1, '\0')},
                            {"b",
                             "\x7f"
                             "ELF"}})),
              ElementsAre("nested-type !a", "nested-type !b"));
}

TEST(InsideArchives, LinksDevicesAndNamesAreJudged) {
  const auto tar = tar_of({{"l", "/etc/passwd", S_IFLNK}, {"d", "", S_IFCHR}, {"../up", "x"}, {"/root", "x"}});
  EXPECT_THAT(at(1, tar), ElementsAre("unsafe-name !../up", "unsafe-name !/root"));
  EXPECT_THAT(at(1, tar, {ContentType::text}),
              ElementsAre("nested-type !l", "nested-type !d", "unsafe-name !../up", "unsafe-name !/root"));
}

TEST(InsideArchives, WhatNobodyCanReadDoesNotPass) {
  EXPECT_THAT(at(5, test_archive("zip", "none", {{"a", "words"}}, "zip:encryption=traditional")),
              ElementsAre("unreadable !a"));
  const auto packed = test_compressed("xz", std::string(10'000, 'x') + "y");
  EXPECT_THAT(at(1, packed.substr(0, packed.size() - 40)), testing::Contains(testing::HasSubstr("unreadable")));
  EXPECT_THAT(at(2, tar_of({{"a.7z", "7z\xbc\xaf\x27\x1c"}}), {ContentType::seven_zip}),
              ElementsAre("unreadable !a.7z"));
  EXPECT_THAT(at(2, "Rar!\x1a\x07"), ElementsAre("unreadable "));
}

TEST(InsideArchives, BombsEndTheReading) {
  const auto zeros = std::string(12u << 20, ' ');
  const auto small = test_compressed("gzip", zeros);
  UnpackRules rules{.max_nesting = 5, .types = k_all, .max_bytes = 8u << 20};
  EXPECT_THAT(breaches(small, rules), ElementsAre("unpacked-size !"));
  const auto report = looked(small, rules);
  EXPECT_LT(report.bytes, 9u << 20);
  EXPECT_THAT(breaches(zip_of({{"x", small}}), rules), ElementsAre("unpacked-size !x!")) << "at every level";
  EXPECT_THAT(breaches(test_compressed("xz", tar_of({{"x", small}, {"y", "later"}})), rules),
              ElementsAre("unpacked-size !!x!"));
  // The ratio counts from 64 MiB on: six times 12 MiB, of a few KiB.
  rules = {.max_nesting = 5, .types = k_all};
  std::vector<TestMember> many;
  for (int i = 0; i < 6; ++i) many.push_back({std::to_string(i), small});
  EXPECT_THAT(breaches(zip_of(many), rules), ElementsAre("unpacked-size !5!"));
  rules.max_ratio = 1u << 20;
  EXPECT_THAT(breaches(zip_of(many), rules), IsEmpty());
  rules.max_files = 3;
  EXPECT_THAT(breaches(zip_of(many), rules), ElementsAre("unpacked-count !1!"));
}

TEST(InsideArchives, TheListIsBoundedAndTheCountIsNot) {
  std::vector<TestMember> many;
  for (unsigned i = 0; i < InsideReport::k_most + 50; ++i) many.push_back({"m" + std::to_string(i), "words"});
  const auto report = looked(zip_of(many), {.max_nesting = 1, .types = {ContentType::json}});
  EXPECT_EQ(report.breaches.size(), InsideReport::k_most);
  EXPECT_EQ(report.count, many.size());
}

}  // namespace
}  // namespace liftlock
