#include "cli/answer_options.hpp"

#include <gmock/gmock.h>

#include "base/code_of.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

using testing::StartsWith;

TEST(AnswerOptions, WordsCannotSteerATerminal) {
  EXPECT_EQ(showable("a\x1b[2Jb\r\a\x7f\n\tc"), "a[2Jb\n\tc");
  EXPECT_EQ(showable("gr\xc3\xbc\xc3\x9f\xc2\x9b"
                     "2J \xe2\x82\xac"),
            "gr\xc3\xbc\xc3\x9f"
            "2J \xe2\x82\xac");
}

TEST(AnswerOptions, AnAttachmentCannotEndItsFence) {
  TemporaryFolder folder;
  const auto file = folder.path() / "notes.md";
  write_file_atomically(file, "before\n````\nafter");
  EXPECT_EQ(read_attachment(file.string()), "notes.md:\n`````\nbefore\n````\nafter\n`````");
}

TEST(AnswerOptions, OnlyTextIsAttached) {
  TemporaryFolder folder;
  const auto file = folder.path() / "picture";
  for (const auto& content : {std::string("\x89PNG\r\n"), std::string("\xff\xfe"), std::string("a\0b", 3)}) {
    write_file_atomically(file, content);
    EXPECT_EQ(code_of([&] { read_attachment(file.string()); }), ErrorCode::usage);
  }
}

TEST(AnswerOptions, AnEmptyQuestionIsRefused) {
  EXPECT_EQ(code_of([] { whole_question(" \n", {}); }), ErrorCode::usage);
  EXPECT_EQ(code_of([] { whole_question("\xff", {}); }), ErrorCode::usage);
  EXPECT_EQ(whole_question("", {"a.txt:\n```\nx\n```"}), "a.txt:\n```\nx\n```");
  EXPECT_THAT(whole_question("Why?", {"a.txt"}), StartsWith("a.txt\n\n"));
}

}  // namespace
}  // namespace liftlock
