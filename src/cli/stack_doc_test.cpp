// docs/formats/stack.md says what the KeySpecs say.
#include <gtest/gtest.h>

#include <cstdlib>

#include "cli/collectors.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_begin = "<!-- keys: begin -->\n";
constexpr std::string_view k_end = "<!-- keys: end -->\n";

TEST(StackDocument, ListsTheKeysThatTheCollectorsDeclare) {
  const auto file = fs::path(LIFTLOCK_SOURCE_DIR) / "docs/formats/stack.md";
  const auto text = read_file(file, 1 << 20);
  const auto begin = text.find(k_begin);
  const auto end = text.find(k_end);
  ASSERT_NE(begin, std::string::npos);
  ASSERT_NE(end, std::string::npos);
  const auto expected =
      text.substr(0, begin + k_begin.size()) + "\n" + stack_keys_markdown(collectors()) + "\n" + text.substr(end);
  if (std::getenv("ACCEPT") != nullptr && text != expected) {
    write_file_atomically(file, expected);
    GTEST_SKIP() << "written anew, not compared";
  }
  EXPECT_EQ(text, expected) << "run this test with ACCEPT=1 and look at the difference";
}

TEST(StackDocument, TheTemplateOfTheRealEcosystemsParses) {
  EXPECT_NO_THROW(parse_stack(stack_template("demo", collectors()), "/", collectors()));
}

}  // namespace
}  // namespace liftlock
