#include "record/text_search.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "base/json.hpp"

namespace liftlock {
namespace {

/// As a client puts a tool's result, which is JSON, into a message, and JSON into that, …
std::string nested(std::string text, int levels, bool ascii) {
  for (int level = 0; level < levels; ++level) text = Json{{"content", text}}.dump(-1, ' ', ascii);
  return text;
}

TEST(TextSearch, FindsWhatJsonEscapes) {
  for (const std::string said :
       {"he \"said\"\nwait", "C:\\new\\table", "M\u00fcller", "\u6f22\u5b57", "\U0001f511 key", "a/b"}) {
    EXPECT_TRUE(holds_text("so " + said + ".", said)) << said;
    for (const int levels : {1, 2, 3}) {
      for (const bool ascii : {false, true}) {
        EXPECT_TRUE(holds_text(nested(said, levels, ascii), said)) << levels << ": " << nested(said, levels, ascii);
      }
    }
  }
  EXPECT_TRUE(holds_text(R"({"content":"M\u00FCller"})", "M\u00fcller")) << "upper-case hex";
  EXPECT_TRUE(holds_text(R"({"content":"a\/b"})", "a/b"));
}

TEST(TextSearch, FindsNothingThatNobodySaid) {
  EXPECT_FALSE(holds_text(nested("M\u00fcller", 2, true), "Muller"));
  EXPECT_FALSE(holds_text(R"({"a":"x","b":"y"})", "xy"));
  EXPECT_FALSE(holds_text("", "x"));
}

TEST(TextSearch, KeepsWhatIsNoEscape) {
  for (const std::string broken :
       {R"(end \)", R"(\u12)", R"(\ud83d alone)", R"(\ud83d\u0041)", R"(\udd11)", R"(\x41)"}) {
    EXPECT_TRUE(holds_text(broken, broken));
    EXPECT_FALSE(holds_text(broken, "no such words")) << broken;
  }
  EXPECT_TRUE(holds_text(R"(\ud83d\n then)", "\n then")) << "half a pair hides nothing that follows";
}

}  // namespace
}  // namespace liftlock
