#include "bundle/stack.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/code_of.hpp"
#include "base/error.hpp"
#include "bundle/fake_collector.hpp"

namespace liftlock {
namespace {

using testing::HasSubstr;

class StackTest : public testing::Test {
 protected:
  Stack parse(std::string_view text) { return parse_stack(text, m_temporary.path(), m_collectors); }
  std::string refusal(std::string_view text, ErrorCode code) {
    try {
      parse(text);
    } catch (const Error& error) {
      EXPECT_EQ(info(error.code()).slug, info(code).slug) << error.what();
      return error.message();
    }
    ADD_FAILURE() << "accepted: " << text;
    return {};
  }
  void write(const std::string& name, std::string_view text) { std::ofstream(m_temporary.path() / name) << text; }

  TemporaryFolder m_temporary;
  FakeCollector m_collector;
  std::array<const Collector*, 1> m_collectors = {&m_collector};
};

constexpr std::string_view k_good = R"(
[stack]
name = "demo"

[thing.two]
wanted = ["b"]
pre = true
labels = { colour = "red" }

[thing.one]
wanted = ["a"]
)";

TEST_F(StackTest, ErrorsNameTheLineOfTheKey) {
  constexpr std::string_view head = "\n[stack]\nname = \"demo\"\n";
  const auto refused = [&](std::string_view more, ErrorCode code = ErrorCode::stack_invalid) {
    return refusal(std::string(head) + std::string(more), code);
  };
  EXPECT_THAT(refused("channel = \"a b\""), HasSubstr("line 4:"));
  EXPECT_THAT(refused("platform = \"pdp\""), HasSubstr("line 4:"));
  EXPECT_THAT(refusal("[stack]\nplatform = \"linux/amd64\"\nname = \"a b\"", ErrorCode::stack_invalid),
              HasSubstr("line 3:"));
  EXPECT_THAT(refused("\n[thing.one]\nwanted = \"a\""), HasSubstr("line 6:"));
  EXPECT_THAT(refused("\n[thing.one]\nwanted = [\n  \"a\",\n  3\n]"), HasSubstr("line 6:"));
  EXPECT_THAT(refused("\n[thing.one]\nwanted = []\nprey = true", ErrorCode::unknown_key), HasSubstr("line 7:"));
  EXPECT_THAT(refused("\n\n[thing.one]\n"), HasSubstr("line 6:"));
  EXPECT_THAT(refused("\n[thing.\"a b\"]\nwanted = []"), HasSubstr("line 5:"));
  EXPECT_THAT(refused("\n[thin.one]\nwanted = []", ErrorCode::unknown_key), HasSubstr("line 5:"));
  EXPECT_THAT(refused("\n[thing.good]\nwanted = []\n\n[thing.one]\npre = true\n"), HasSubstr("line 8:"));
  EXPECT_THAT(refusal("thing = 3\n[stack]\nname = \"demo\"", ErrorCode::stack_invalid), HasSubstr("line 1:"));
  EXPECT_THAT(refused("name = \"again\""), HasSubstr("line 4:"));
  EXPECT_THAT(refusal("[stack]\nname = \"\"", ErrorCode::stack_invalid),
              HasSubstr("line 2: 'name' of [stack] is empty"));
}

TEST_F(StackTest, ReadsWhatItsKeysDeclare) {
  const auto stack = parse(k_good);
  EXPECT_EQ(stack.name, "demo");
  EXPECT_EQ(stack.channel, "demo");
  EXPECT_EQ(stack.platform, "linux/amd64");
  ASSERT_EQ(stack.entries.size(), 2u);
  EXPECT_EQ(stack.entries[0].name, "one");
  EXPECT_EQ(stack.entries[1].where(), "[thing.two]");
  EXPECT_TRUE(stack.entries[1].flag("pre", false));
  EXPECT_EQ(stack.entries[1].values["labels"]["colour"], "red");
}

TEST_F(StackTest, UnknownKeyIsRefusedWithTheNearestKnownOne) {
  const auto said = refusal("[stack]\nname='x'\n[thing.a]\nwantd = ['b']\n", ErrorCode::unknown_key);
  EXPECT_THAT(said, HasSubstr("line 4"));
  EXPECT_THAT(said, HasSubstr("did you mean 'wanted'?"));
}

TEST_F(StackTest, UnknownTableIsRefusedWithTheNearestKnownOne) {
  const auto said = refusal("[stack]\nname='x'\n[thin.a]\nwanted = ['b']\n", ErrorCode::unknown_key);
  EXPECT_THAT(said, HasSubstr("did you mean 'thing'?"));
  EXPECT_THAT(said, HasSubstr("line 3"));
  EXPECT_THAT(refusal("[stack]\nname='x'\nchanel='y'\n", ErrorCode::unknown_key), HasSubstr("'channel'"));
}

TEST_F(StackTest, WrongTypesAndMissingKeysNameTheLine) {
  EXPECT_THAT(refusal("[stack]\nname='x'\n[thing.a]\nwanted = 'b'\n", ErrorCode::stack_invalid),
              HasSubstr("line 4: 'wanted' of [thing.a] must be an array of strings"));
  EXPECT_THAT(refusal("[stack]\nname='x'\n[thing.a]\nwanted = ['b', 3]\n", ErrorCode::stack_invalid),
              HasSubstr("line 4"));
  EXPECT_THAT(refusal("[stack]\nname='x'\n[thing.a]\npre = true\n", ErrorCode::stack_invalid),
              HasSubstr("needs the key 'wanted'"));
  EXPECT_THAT(refusal("[stack]\nname='x'\n\n[thing\n", ErrorCode::stack_invalid), HasSubstr("line 4"));
  refusal("", ErrorCode::stack_invalid);
  refusal("[stack]\nname='x'\n[thing]\na = 3\n", ErrorCode::stack_invalid);
  refusal("thing = 1\n[stack]\nname='x'\n", ErrorCode::stack_invalid);
  refusal("[stack]\nname='../x'\n", ErrorCode::stack_invalid);
  refusal("[stack]\nname='x'\nplatform='linux'\n", ErrorCode::stack_invalid);
  refusal("[stack]\nname='x'\n[thing.'a/b']\nwanted=['x']\n", ErrorCode::stack_invalid);
}

TEST_F(StackTest, TheDeclarationCoversValuesPlatformAndInputFiles) {
  write("list.txt", "one");
  const std::string text = "[stack]\nname='x'\n[thing.a]\nwanted=['b']\nlist='list.txt'\n";
  const auto before = parse(text).entries[0].declared;
  EXPECT_EQ(parse("# a comment\n" + text).entries[0].declared, before);
  EXPECT_NE(parse(text + "pre = false\n").entries[0].declared, before);
  EXPECT_NE(parse("[stack]\nname='x'\nplatform='linux/arm64'\n" + text.substr(text.find("[thing"))).entries[0].declared,
            before);
  write("list.txt", "two");
  EXPECT_NE(parse(text).entries[0].declared, before);
  fs::remove(m_temporary.path() / "list.txt");
  EXPECT_THAT(refusal(text, ErrorCode::stack_invalid), HasSubstr("list.txt"));
}

TEST_F(StackTest, TheTemplateParsesAndNamesEveryKey) {
  const auto text = stack_template("demo", m_collectors);
  EXPECT_EQ(parse(text).name, "demo");
  for (const auto& key : m_collector.keys())
    EXPECT_THAT(text, HasSubstr(fmt::format("# {} = {}", key.name, key.example)));
  // Its examples are TOML that the checks accept.
  std::string uncommented = "[stack]\nname = \"demo\"\n[thing.x]\n";
  for (const auto& key : m_collector.keys()) uncommented += fmt::format("{} = {}\n", key.name, key.example);
  write("list.txt", "");
  EXPECT_NO_THROW(parse(uncommented));
}

TEST_F(StackTest, AFileIsNamedInItsErrors) {
  write("liftlock.toml", "[stack]\nnam = 'x'\n");
  try {
    read_stack(m_temporary.path() / "liftlock.toml", m_collectors);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr("liftlock.toml: line 2: [stack] has no key 'nam'; did you mean 'name'?"));
  }
}

TEST_F(StackTest, APipeIsRefusedAndNotWaitedFor) {
  ASSERT_EQ(::mkfifo((m_temporary.path() / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(code_of([&] { read_stack(m_temporary.path() / "pipe", m_collectors); }), ErrorCode::not_regular);
}

}  // namespace
}  // namespace liftlock
