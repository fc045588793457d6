#include "ecosystem/apt/deb822.hpp"

#include <gmock/gmock.h>

#include "base/error.hpp"

namespace liftlock::apt {
namespace {

TEST(Deb822, ReadsParagraphsWithFoldedFields) {
  ParagraphReader reader("\nPackage: a\nDepends: b,\n c (>= 1)\n\n\nPackage:d\n", "test");
  Paragraph paragraph;
  ASSERT_TRUE(reader.next(paragraph));
  EXPECT_EQ(paragraph.field("package"), "a");
  EXPECT_EQ(paragraph.field("Depends"), "b,\n c (>= 1)");
  EXPECT_EQ(paragraph.text(), "Package: a\nDepends: b,\n c (>= 1)");
  ASSERT_TRUE(reader.next(paragraph));
  EXPECT_EQ(paragraph.field("Package"), "d");
  EXPECT_EQ(paragraph.field("Depends"), std::nullopt);
  EXPECT_FALSE(reader.next(paragraph));
}

void expect_refused(std::string_view text, ErrorCode code, Deb822Limits limits = {}) {
  ParagraphReader reader(text, "test", Comments::refuse, limits);
  Paragraph paragraph;
  try {
    while (reader.next(paragraph)) {
    }
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
  }
}

TEST(Deb822, RefusesWhatCouldBeReadInTwoWays) {
  expect_refused(" continued: nothing\n", ErrorCode::schema_violation);
  expect_refused("Package: a\npackage: b\n", ErrorCode::schema_violation);
  expect_refused("no field here\n", ErrorCode::schema_violation);
  expect_refused("# a comment\nA: b\n", ErrorCode::schema_violation);
  expect_refused(std::string_view("A: b\0c\n", 7), ErrorCode::schema_violation);
  expect_refused("A: " + std::string(100, 'x'), ErrorCode::limit_exceeded, {.max_paragraph = 50});
  expect_refused("A: 1\nB: 2\nC: 3\n", ErrorCode::limit_exceeded, {.max_fields = 2});
}

TEST(Deb822, SkipsCommentsWhereTheyAreAllowed) {
  ParagraphReader reader("# one\nTypes: deb\n# two\nURIs: x\n", "test", Comments::skip);
  Paragraph paragraph;
  ASSERT_TRUE(reader.next(paragraph));
  EXPECT_EQ(paragraph.fields().size(), 2u);
}

TEST(Deb822, SplitsWords) {
  EXPECT_THAT(words(" a\n  b\tc "), testing::ElementsAre("a", "b", "c"));
  EXPECT_THAT(words(""), testing::IsEmpty());
}

}  // namespace
}  // namespace liftlock::apt
