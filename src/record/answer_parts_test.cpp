#include "record/answer_parts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "record/text_search.hpp"

namespace liftlock {
namespace {

using Pieces = std::vector<std::pair<std::string, std::string>>;

std::string written(const Pieces& pieces) {
  AnswerMarks marks;
  std::string out;
  for (const auto& [part, text] : pieces) out += marks.piece(part, text);
  return out;
}

Pieces read(const std::string& answer) {
  Pieces out;
  for (const auto& part : answer_parts(answer)) out.emplace_back(part.name, part.text);
  return out;
}

TEST(AnswerParts, ContentAloneHasNoMark) {
  EXPECT_EQ(written({{"content", "I "}, {"content", "stand"}, {"others", ""}, {"content", " in."}}), "I stand in.");
  EXPECT_EQ(read("I stand in."), (Pieces{{"content", "I stand in."}}));
  EXPECT_EQ(read(""), (Pieces{{"content", ""}}));
}

TEST(AnswerParts, WhatCameMixedIsPutTogether) {
  const auto answer = written({{"reasoning", "hm"},
                               {"reasoning", "m"},
                               {"content", "sword"},
                               {"others", "{1}"},
                               {"content", "fish"},
                               {"others", "{2}"},
                               {"call 0", "{\"a\":"},
                               {"call 1", "{}"},
                               {"call 0", "1}"}});
  EXPECT_EQ(read(answer), (Pieces{{"content", "swordfish"},
                                  {"reasoning", "hmm"},
                                  {"others", "{1}{2}"},
                                  {"call 0", "{\"a\":1}"},
                                  {"call 1", "{}"}}));
  EXPECT_TRUE(answer_holds(answer, "swordfish"));
  EXPECT_FALSE(answer_holds(answer, "hmmsword")) << "nobody said that";
}

TEST(AnswerParts, AModelWritesNoMarks) {
  for (const std::string said : {"\x1eothers\x1fhidden", "a\x1e\x1e", "\x1e", "\x1e\x1f", "\x1e\x1eothers\x1f"}) {
    EXPECT_EQ(read(written({{"content", said}})), (Pieces{{"content", said}}));
    EXPECT_EQ(read(written({{"reasoning", said}, {"content", said}})),
              (Pieces{{"content", said}, {"reasoning", said}}));
  }
}

TEST(AnswerParts, ATornMarkIsText) {
  const auto answer = written({{"content", "a"}, {"reasoning", "b"}});
  EXPECT_EQ(read(answer.substr(0, 5)), (Pieces{{"content", "a\x1erea"}}));
}

}  // namespace
}  // namespace liftlock
