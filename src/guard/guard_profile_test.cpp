#include "guard/guard_profile.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/code_of.hpp"
#include "base/error.hpp"

namespace liftlock {
namespace {

std::string message_of(const std::string& text) {
  try {
    parse_guard_profile(text);
  } catch (const Error& error) {
    return std::string(info(error.code()).slug) + " " + error.message();
  }
  return "accepted";
}

TEST(GuardProfile, ReadsEveryKey) {
  const auto profile = parse_guard_profile(R"(
[profile]
name = "kiosk"
types = ["text", "7z", "oci-json"]
max_file_size = "4GB"
max_bundle_size = "1KiB"
max_files = 3
max_name_length = 4
max_path_length = 5
max_depth = 6
name_characters = "a-c_"
[unpack]
max_nesting = 2
types = ["link"]
max_files = 7
max_size = "8B"
max_ratio = 9
)");
  EXPECT_EQ(profile.name, "kiosk");
  EXPECT_EQ(profile.types, (std::set{ContentType::text, ContentType::seven_zip, ContentType::oci_json}));
  EXPECT_EQ(profile.max_file_size, 4'000'000'000u);
  EXPECT_EQ(profile.max_bundle_size, 1024u);
  EXPECT_EQ(profile.max_files, 3u);
  EXPECT_EQ(profile.max_name_length, 4u);
  EXPECT_EQ(profile.max_path_length, 5u);
  EXPECT_EQ(profile.max_depth, 6u);
  EXPECT_EQ(profile.name_characters.count(), 4u);
  ASSERT_TRUE(profile.unpack);
  EXPECT_EQ(profile.unpack->max_nesting, 2u);
  EXPECT_EQ(profile.unpack->types, std::set{ContentType::link});
  EXPECT_EQ(profile.unpack->max_files, 7u);
  EXPECT_EQ(profile.unpack->max_bytes, 8u);
  EXPECT_EQ(profile.unpack->max_ratio, 9u);
}

TEST(GuardProfile, WhatIsNotSaidIsNotLimited) {
  const auto profile = parse_guard_profile("[profile]\nname = \"k\"\ntypes = [\"text\"]\n");
  EXPECT_EQ(profile.max_files, GuardProfile::k_no_limit);
  EXPECT_TRUE(profile.name_characters.all());
  EXPECT_FALSE(profile.unpack);
  EXPECT_EQ(
      parse_guard_profile("[profile]\nname = \"k\"\ntypes = [\"text\"]\n[unpack]\nmax_nesting = 1\n").unpack->types,
      profile.types);
}

TEST(GuardProfile, MistakesAreToldWithTheirLine) {
  const std::string head = "[profile]\nname = \"k\"\ntypes = [\"text\"]\n";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "profile-invalid the table [profile] is missing"},
      {"profile = 1", "profile-invalid line 1: 'profile' must be a table"},
      {"[profile]\ntypes = [\"text\"]\n", "needs the key 'name'"},
      {"[profile]\nname = \"k\"\n", "needs the key 'types'"},
      {"[profile]\nname = \"\"\ntypes = [\"text\"]", "line 2: 'name' of [profile] must have 1 to 100 bytes"},
      {"[profile]\nname = \"k\"\ntypes = []", "line 3: 'types' of [profile] must be an array"},
      {"[profile]\nname = \"k\"\ntypes = [\"txt\"]", "line 3: 'txt' is no type; did you mean 'text'?"},
      {"[profile]\nname = \"k\"\ntypes = [\"link\"]", "line 3: a bundle holds no 'link'"},
      {"[profile]\nname = \"k\"\ntypes = \"text\"", "must be an array of types"},
      {"[profile]\nname = \"k\"\ntypes = [1]", "must be an array of strings"},
      {head + "max_file = 1", "unknown-key line 4: [profile] has no key 'max_file'; did you mean 'max_files'?"},
      {head + "max_file_size = 4", "line 4: 'max_file_size' of [profile] must be a size"},
      {head + "max_file_size = \"0\"", "must be a size"},
      {head + "max_files = 0", "must be a whole number from 1"},
      {head + "max_files = 1.5", "must be a whole number"},
      {head + "max_depth = -1", "must be a whole number"},
      {head + "name_characters = \"z-a\"", "is no set of characters"},
      {head + "name_characters = \"\"", "is no set of characters"},
      {head + "name_characters = \"a-b-c\"", "is no set of characters"},
      {head + "[unpack]", "[unpack] needs the key 'max_nesting'"},
      {head + "[unpack]\nmax_nesting = 17", "line 5: 'max_nesting' of [unpack] must be a whole number from 0 to 16"},
      {head + "[unpack]\nmax_nesting = 1\ntypes = []", "must be an array of types"},
      {head + "[unpak]\nmax_nesting = 1", "a profile has no key 'unpak'; did you mean 'unpack'?"},
      {head + "name = \"twice\"", "profile-invalid line 4"},
      {std::string(70'000, '#'), "profile-invalid larger than"},
  };
  for (const auto& [text, message] : cases) {
    EXPECT_THAT(message_of(text), testing::HasSubstr(message)) << text.substr(0, 100);
  }
}

TEST(GuardProfile, TheDocumentNamesEveryTypeAndRuleAndItsExampleIsOne) {
  const auto page = read_file(fs::path(LIFTLOCK_SOURCE_DIR) / "docs/formats/profile.md", 1u << 20);
  for (const auto type : content_type_names())
    EXPECT_THAT(page, testing::ContainsRegex(fmt::format("[| `]{}[`|, ]", type)));
  for (int i = 0; i <= static_cast<int>(GuardRule::unsafe_name); ++i) {
    EXPECT_THAT(page, testing::ContainsRegex(fmt::format("[| ]{}[|, ]", name(static_cast<GuardRule>(i)))));
  }
  const auto begin = page.find("```toml\n") + 8;
  const auto profile = parse_guard_profile(page.substr(begin, page.find("```", begin) - begin));
  EXPECT_EQ(profile.name, "Scan kiosk, plant 4");
  EXPECT_EQ(profile.unpack->max_nesting, 1u);
}

TEST(GuardProfile, CharactersAreSinglesAndRanges) {
  EXPECT_EQ(parse_characters("a-cx")->count(), 4u);
  EXPECT_TRUE(parse_characters("a-z-")->test('-'));
  EXPECT_TRUE(parse_characters("-a")->test('-'));
  EXPECT_TRUE(parse_characters("a ")->test(' '));
  EXPECT_FALSE(parse_characters("!-~")->test('/')) << "a slash parts names";
  for (const auto* text : {"", "/", "a-", "\x7f", "\n", "b-a", "a-a", "ä"}) {
    if (std::string(text) == "a-") {
      EXPECT_TRUE(parse_characters(text)->test('-'));
    } else {
      EXPECT_FALSE(parse_characters(text)) << text;
    }
  }
}

}  // namespace
}  // namespace liftlock
