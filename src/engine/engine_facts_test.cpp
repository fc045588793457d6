#include "engine/engine_facts.hpp"

#include <gmock/gmock.h>

#include "base/code_of.hpp"
#include "base/error.hpp"

namespace liftlock::engine {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::string_view k_help = R"(----- common params -----

-h,    --help, --usage                  print usage and exit
-m,    --model FNAME                    model path to load
                                        - row: split weight across GPUs, --not-a-flag
--ui,  --webui, --no-ui, --no-webui     whether to enable the Web UI (default: enabled)
-t N,  --threads N                      [4] number of threads
-np,   --parallel N                     number of server slots, --kv-unified too
-a,    --alias STRING                   names, comma-separated (to be used by API)
--host HOST                             address
-c,    --ctx-size N                     size of the prompt context
)";

TEST(EngineFacts, FlagsStandAtTheHeadOfALineOfHelp) {
  EXPECT_THAT(flags_of_help("-t N,  --threads N   number, --else\n  - row: --more\nsee --this\n--x=1\n"),
              ElementsAre("--threads", "-t"));
  const auto flags = flags_of_help(k_help);
  for (const auto* known : {"--model", "-m", "--no-webui", "--threads", "--parallel", "--host", "--ctx-size"})
    EXPECT_TRUE(flags.contains(known)) << known;
  for (const auto* other : {"--not-a-flag", "--kv-unified"}) EXPECT_FALSE(flags.contains(other)) << other;
}

TEST(EngineFacts, TheSpellingThatAVersionKnowsIsUsed) {
  const FlagNeed page{"no pages", {"--no-ui", "--no-webui"}, FlagNeed::Kind::if_known};
  const FlagNeed model{"the model", {"-m", "--model"}};
  const Flags both = {"--no-ui", "--no-webui", "--model"}, old = {"--no-webui"}, none = {};
  EXPECT_EQ(spelling(page, &both), "--no-ui");
  EXPECT_EQ(spelling(page, &old), "--no-webui");
  EXPECT_EQ(spelling(page, &none), "");
  EXPECT_EQ(spelling(model, &both), "--model");
  EXPECT_EQ(spelling(model, nullptr), "-m");
  EXPECT_EQ(spelling(page, nullptr), "");
}

TEST(EngineFacts, AMissingOptionIsNamed) {
  auto flags = flags_of_help(k_help);
  EXPECT_THAT(missing_flags("llama-server", flags), IsEmpty());
  flags.erase("--ctx-size");
  EXPECT_THAT(missing_flags("llama-server", flags), IsEmpty()) << "-c is left";
  flags.erase("-c");
  EXPECT_THAT(missing_flags("llama-server", flags), ElementsAre("the context (-c or --ctx-size)"));
  EXPECT_THAT(missing_flags("other", {}), IsEmpty());
}

TEST(EngineFacts, AreReadBack) {
  const EngineFacts facts{"engine:tiny@1",
                          "sha256:00",
                          parse_time("2026-11-23T06:00:00Z"),
                          "version: 1",
                          {{"llama-server", {"--host", "-m"}}}};
  const auto again = parse_facts(encode_facts(facts));
  EXPECT_EQ(again.origin, facts.origin);
  EXPECT_EQ(again.says, facts.says);
  EXPECT_EQ(again.flags, facts.flags);
  EXPECT_EQ(
      code_of([] {
        parse_facts(R"({"origin":"","package":"","installed":"2026-11-23T06:00:00Z","says":"","flags":{"a":[1]}})");
      }),
      ErrorCode::schema_violation);
}

}  // namespace
}  // namespace liftlock::engine
