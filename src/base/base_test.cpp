#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <nlohmann/json.hpp>
#include <set>

#include "base/circuit_breaker.hpp"
#include "base/clock.hpp"
#include "base/code_of.hpp"
#include "base/digest.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/json_text.hpp"
#include "base/plain_json.hpp"
#include "base/rel_path.hpp"
#include "base/shown_path.hpp"
#include "base/text.hpp"
#include "base/toml_document.hpp"
#include "base/toml_text.hpp"

namespace liftlock {
namespace {

TEST(Text, CountsInThousands) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(118'000), "118.0K");
  EXPECT_EQ(format_count(7'241'732'096), "7.2B");
  EXPECT_EQ(format_count(1'500'000'000'000), "1.5T");
}

TEST(Error, EverySlugIsUniqueAndFound) {
  std::set<std::string_view> slugs;
  for (const auto& error : all_errors()) {
    EXPECT_TRUE(slugs.insert(error.slug).second) << error.slug;
    EXPECT_EQ(parse_error_code(error.slug), error.code);
    EXPECT_EQ(&info(error.code), &error);
  }
}

TEST(Error, ContextIsAddedFromTheInsideOut) {
  try {
    with_context("outer", [] {
      return with_context("inner", [] {
        fail(ErrorCode::usage, "a {}", 1);
        return 0;
      });
    });
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "a 1 (inner) (outer)");
    EXPECT_EQ(error.exit_status(), 2);
    EXPECT_FALSE(error.hint().empty());
  }
}

TEST(Error, SaysInWholeSecondsWhenToAskAgain) {
  using namespace std::chrono_literals;
  Error error(ErrorCode::overloaded, "full");
  EXPECT_EQ(error.retry_after(), std::nullopt);
  EXPECT_EQ(error.set_retry_after(1'001ms).retry_after(), 2s) << "not too early";
  EXPECT_EQ(error.set_retry_after(-5s).retry_after(), 1s);
  EXPECT_EQ(error.set_retry_after(400h).retry_after(), 24h);
  EXPECT_EQ(Error(error).retry_after(), 24h);
}

TEST(Error, AFullDiskIsAClassOfItsOwn) {
  EXPECT_EQ(code_of([] { fail_errno("write x", ENOSPC); }), ErrorCode::disk_full);
  EXPECT_EQ(code_of([] { fail_errno("write x", EIO); }), ErrorCode::io_error);
}

TEST(Digest, RoundTripsAndRefusesOtherForms) {
  const std::string text = "sha256:" + std::string(62, 'a') + "0f";
  EXPECT_EQ(Digest::parse(text).text(), text);
  for (const std::string& bad : {"sha256:" + std::string(63, 'a'), "sha256:" + std::string(64, 'A'),
                                 "SHA256:" + std::string(64, 'a'), std::string(64, 'a'), std::string()}) {
    EXPECT_FALSE(Digest::try_parse(bad)) << bad;
  }
  EXPECT_TRUE(Digest::parse(text).spoken().starts_with("aaaa aaaa "));
}

TEST(RelPath, AcceptsOrdinaryNames) {
  for (const auto* path : {"a", "packages/pypi/x-1.0-py3-none-any.whl", "models/Qwen 2/file (1).gguf",
                           "libstdc++6_12.2.0-14_amd64.deb", "a~b", "pool/x_1%3a2.deb"}) {
    EXPECT_TRUE(RelPath::try_parse(path)) << path;
  }
}

TEST(RelPath, RefusesWhatLeavesOrCannotBeCarried) {
  for (const std::string_view path : {"", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a\\b", "a\nb",
                                      "a:b", "CON", "a/nul.txt", "COM1", "a ", "a.", "a?", "\xC3\xA9"}) {
    EXPECT_FALSE(RelPath::try_parse(path)) << path;
  }
  EXPECT_FALSE(RelPath::try_parse(std::string(201, 'a')));
  EXPECT_FALSE(RelPath::try_parse(std::string("a\0b", 3)));
}

TEST(RelPath, KnowsItsParts) {
  const auto path = RelPath::parse("a/B/c");
  EXPECT_EQ(path.filename(), "c");
  EXPECT_EQ(path.parent(), "a/B");
  EXPECT_TRUE(path.is_under("a"));
  EXPECT_FALSE(path.is_under("a/B/c"));
  EXPECT_EQ(path.case_folded(), "a/b/c");
}

TEST(PortableComponent, IsAlwaysAComponent) {
  for (const std::string_view text : {"", ".", "..", "a/b", "con", "x:y", ".hidden", "end."}) {
    EXPECT_TRUE(RelPath::try_parse(portable_component(text))) << text;
  }
}

TEST(ParseJson, RefusesDuplicateKeysAtAnyDepth) {
  EXPECT_EQ(code_of([] { parse_json(R"({"a":1,"b":{"c":1,"c":2}})"); }), ErrorCode::json_duplicate_key);
  EXPECT_EQ(parse_json(R"([{"a":1},{"a":2}])").size(), 2u);
}

TEST(Json, ReadsALongListInLinearTime) {
  std::string text = "[{}";
  for (int i = 1; i < 500'000; ++i) text += ",{}";
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(parse_json(text + "]").size(), 500'000u);
  // A fraction of a second; minutes where each element looks at those before it.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}
TEST(Json, KeepsEveryKindOfValueInItsPlace) {
  const std::string text = R"({"a":[1,-2,0.5,true,null,"x",{"b":[[],{}]}],"c":{"d":18446744073709551615}})";
  EXPECT_EQ(dump_json_line(parse_json(text)), text);
  EXPECT_EQ(parse_json("7").get<int>(), 7);
  EXPECT_EQ(code_of([] { parse_json("1e999"); }), ErrorCode::json_invalid);
  EXPECT_EQ(code_of([] { parse_json(""); }), ErrorCode::json_invalid);
}

TEST(ParseJson, ReadsNumbersAsTheirNearest) {
  for (const std::string_view text :
       {"0.1", "0.7", "1e5", "-0", "-0.0", "1E-400", "2.2250738585072014e-308", "1.7976931348623157e308",
        "9007199254740993.0", "9223372036854775807", "-9223372036854775808", "-9223372036854775809",
        "18446744073709551615", "18446744073709551616", "123456789012345678901234567890"}) {
    const auto value = parse_json(text), other = Json::parse(text);
    EXPECT_EQ(value.type(), other.type()) << text;
    EXPECT_EQ(dump_json(value), dump_json(other)) << text;
  }
}

TEST(ParseJson, ReadsTextsInPartsAndWithEscapes) {
  const auto value = parse_json(R"({"\u0041\n":"\ud83d\ude00 \/ é","long":")" + std::string(5000, 'x') + R"(\t"})");
  EXPECT_EQ(value.at("A\n"), "\xf0\x9f\x98\x80 / é");
  EXPECT_EQ(value.at("long"), std::string(5000, 'x') + "\t");
  for (const auto* text : {R"("\ud800")", R"("\udc00")", "\"\xc0\x80\"", "\"a\nb\"", "[1,]", "[01]", "[1.]", "nul"})
    EXPECT_EQ(code_of([&] { parse_json(text); }), ErrorCode::json_invalid) << text;
}

TEST(ParseJson, IsBoundedAndStrict) {
  EXPECT_EQ(code_of([] { parse_json(std::string(100, '[')); }), ErrorCode::limit_exceeded);
  EXPECT_EQ(code_of([] { parse_json("{} x"); }), ErrorCode::json_invalid);
  for (const auto text : {std::string_view("{}\0", 3), std::string_view("{}\0 x", 5), std::string_view("\0{}", 3)})
    EXPECT_EQ(code_of([&] { parse_json(text); }), ErrorCode::json_invalid);
  EXPECT_EQ(code_of([] { parse_json("\"\xff\""); }), ErrorCode::json_invalid);
  EXPECT_EQ(code_of([] { parse_json("[1,2]", {.max_bytes = 4, .max_depth = 4}); }), ErrorCode::limit_exceeded);
}

TEST(ParseJson, SaysWhereInPlainWords) {
  try {
    parse_json("{\n  \"a\": 1,\n  \"b\": oops\n}");
    FAIL();
  } catch (const Error& error) {
    EXPECT_TRUE(error.message().starts_with("not valid JSON at line 3, column 8: ")) << error.message();
    EXPECT_EQ(error.message().find("json.exception"), std::string::npos) << error.message();
    EXPECT_EQ(error.message().find("last read"), std::string::npos) << error.message();
  }
}

TEST(DumpJson, IsCanonical) {
  const auto value = parse_json(R"({"b":[1,"é"],"a":null})");
  EXPECT_EQ(dump_json_line(value), "{\"a\":null,\"b\":[1,\"é\"]}");
  EXPECT_EQ(dump_json(parse_json("{}")), "{}\n");
}

TEST(Base64, RoundTripsAndIsStrict) {
  for (const std::string_view text : {"", "f", "fo", "foo", "foob"}) {
    const auto decoded = decode_base64(encode_base64(as_bytes(text)));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(as_text(*decoded), text);
  }
  for (const std::string_view bad : {"Zg=", "Zh==", "Z g=", "====", "Zg==Zg=="})
    EXPECT_FALSE(decode_base64(bad)) << bad;
}

TEST(Printable, StopsTerminalTricks) {
  EXPECT_EQ(printable("a\x1b[31mé\n"), "a\\x1b[31mé\\x0a");
  EXPECT_EQ(printable("\xff"), "\\xff");
  EXPECT_EQ(printable("x\u202egnp.txt \u05d0\u200f"), "x\\xe2\\x80\\xaegnp.txt \u05d0\u200f")
      << "letters keep their marks";
  EXPECT_EQ(printable_lines("a\x1b\n\r\nb\t\n"), "a\\x1b\n\\x0d\nb\\x09\n");
}

TEST(Time, WhatLastsUntilADayBeginsEndsWithTheDayBefore) {
  EXPECT_EQ(format_end(parse_time("2027-01-01T00:00:00Z")), "the end of 2026-12-31");
  EXPECT_EQ(format_end(parse_time("2028-03-01T00:00:00Z")), "the end of 2028-02-29");
  EXPECT_EQ(format_end(parse_time("2026-12-31T23:59:59Z")), "2026-12-31T23:59:59Z");
}

TEST(Time, RoundTripsExactly) {
  EXPECT_EQ(format_time(parse_time("2026-02-28T23:59:59Z")), "2026-02-28T23:59:59Z");
  for (const auto* bad : {"2026-02-29T00:00:00Z", "2026-02-28T24:00:00Z", "2026-02-28 00:00:00Z", "x"}) {
    EXPECT_EQ(code_of([&] { parse_time(bad); }), ErrorCode::schema_violation) << bad;
  }
  EXPECT_EQ(parse_duration("30d"), std::chrono::days(30));
  EXPECT_FALSE(parse_duration("30"));
}

TEST(Text, SuggestsOnlyWhatIsNear) {
  static constexpr std::array<std::string_view, 3> k_known = {"packages", "suite", "mirror"};
  EXPECT_EQ(nearest("pakages", k_known), "packages");
  EXPECT_EQ(nearest("siute", k_known), "suite");
  EXPECT_FALSE(nearest("colour", k_known));
}

TEST(Text, ReadsSizes) {
  EXPECT_EQ(parse_size("4.7GB"), 4700000000u);
  EXPECT_EQ(parse_size("1 KiB"), 1024u);
  EXPECT_EQ(parse_size("17"), 17u);
  for (const auto* bad : {"", "-1", "x", "1e3GB", "99999999TB"}) EXPECT_FALSE(parse_size(bad)) << bad;
}

TEST(JsonTextTest, WritesWhatAValueIsDumpedAs) {
  const auto inner = parse_json(R"({"a":[],"b":{},"c":[1,[2,{"d":"x\ny"}]],"e":null})");
  const Json whole = {{"array", {inner, 7, "text"}}, {"empty", Json::array()}, {"none", Json::object()}, {"z", inner}};
  for (const auto style : {JsonText::Style::document, JsonText::Style::line}) {
    JsonText out(style);
    out.begin_object().key("array").begin_array().value(inner).value(7);
    auto text = out.take();
    out.value("text").end_array().key("empty").begin_array().end_array();
    out.key("none").begin_object().end_object().key("z").value(inner).end_object();
    text += out.take();
    EXPECT_EQ(text, style == JsonText::Style::line ? dump_json_line(whole) : dump_json(whole));
  }
  JsonText alone(JsonText::Style::document);
  EXPECT_EQ(alone.value(inner).take(), dump_json(inner));
  JsonText unsorted(JsonText::Style::line);
  unsorted.begin_object().key("b").value(1);
  EXPECT_EQ(code_of([&] { unsorted.key("a"); }), ErrorCode::internal);
}

TEST(JsonTextTest, WritesTextAndNumbersAsTheirValues) {
  for (const std::string text : {"", "plain", "a\"b", "a\\b", "a\nb", "a\x7f", "\xc3\xa9", "no\xff", "/<&"}) {
    const Json whole = {{text, {text, 0, UINT64_MAX}}};
    for (const auto style : {JsonText::Style::document, JsonText::Style::line}) {
      JsonText out(style);
      out.begin_object().key(text).begin_array().text(text).number(0).number(UINT64_MAX).end_array().end_object();
      EXPECT_EQ(out.take(), style == JsonText::Style::line ? dump_json_line(whole) : dump_json(whole));
    }
  }
  JsonText alone(JsonText::Style::document);
  EXPECT_EQ(alone.text("x").take(), "\"x\"\n");
}

TEST(PlainJsonTest, TakesWhatIsPlainAndNothingElse) {
  PlainJson json(" { \"a\" :\n[\"b c\",\t7 ] } ");
  EXPECT_FALSE(json.take('['));
  EXPECT_TRUE(json.take('{'));
  EXPECT_FALSE(json.key("b"));
  EXPECT_TRUE(json.key("a"));
  EXPECT_TRUE(json.take('['));
  EXPECT_FALSE(json.number());
  EXPECT_EQ(json.text(), "b c");
  EXPECT_TRUE(json.take(','));
  EXPECT_FALSE(json.text());
  EXPECT_EQ(json.number(), 7u);
  EXPECT_TRUE(json.take(']'));
  EXPECT_FALSE(json.at_end());
  EXPECT_TRUE(json.take('}'));
  EXPECT_TRUE(json.at_end());
  for (const auto* text : {"\"a", "\"a\\n\"", "\"\xc3\xa9\"", "\"\t\"", "\"\x7f\"", "", "a"})
    EXPECT_FALSE(PlainJson(text).text()) << text;
  for (const auto* number : {"", "-1", "01", "18446744073709551616", "x", "+1"})
    EXPECT_FALSE(PlainJson(number).number()) << number;
  EXPECT_EQ(PlainJson("18446744073709551615").number(), UINT64_MAX);
  EXPECT_FALSE(PlainJson("\"a\" 1").key("a")) << "no colon";
}

TEST(Glob, StopsAtSlashes) {
  EXPECT_TRUE(matches_glob("*.gguf", "a.gguf"));
  EXPECT_FALSE(matches_glob("*.gguf", "b/a.gguf"));
  EXPECT_TRUE(matches_glob("**.gguf", "b/a.gguf"));
}

TEST(TomlDocument, RefusesWithTheLineAndTheCodeThatWasAskedFor) {
  EXPECT_EQ(parse_toml("a = 1\n[b]\n", ErrorCode::stack_invalid)["a"].value<int>(), 1);
  for (const auto* text : {"a = 1\nb = é\n", "a = 1\nb\n", "a = 1\na = 2\n"}) {
    try {
      parse_toml(text, ErrorCode::stack_invalid, "here.toml ");
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::stack_invalid);
      EXPECT_THAT(error.message(), ::testing::StartsWith("here.toml line 2: "));
    }
  }
}

TEST(Toml, AHeaderThatBeginsWithNoKeyIsRefusedBeforeTheParserAssertsOne) {
  for (const auto* text : {"[`", "[ `a]", "[[`]]", "[\n", "[+a]", "[=]", "[{}]"}) {
    EXPECT_EQ(line_of_header_without_key(text), 1u) << text;
    EXPECT_EQ(code_of([&] { parse_toml(text, ErrorCode::stack_invalid); }), ErrorCode::stack_invalid) << text;
  }
  EXPECT_EQ(line_of_header_without_key("a = [\n[1], [{b = 1}]]\n \t[`]"), 3u);
  EXPECT_EQ(line_of_header_without_key("a = \"]\" # [`\n[`]"), 2u);
  for (const auto* text :
       {"[a]\n[[b]]\n[ 'c' ]\n[\"d\"]", "a = [\n[+1, 2], [\n`]]", "a = '''\n[`'''", "# [`", "[", "[]"}) {
    EXPECT_EQ(line_of_header_without_key(text), std::nullopt) << text;
  }
}

TEST(TomlText, FindsWhatTheParserMustNotMeet) {
  EXPECT_EQ(line_of_stray_character("a = 1\n[b].c=\xef\xbb\xaf 9\n"), 2u);
  EXPECT_EQ(line_of_stray_character("a = \"\"\"x\n\"é\" \\\"\"\"\" é"), 2u);
  EXPECT_EQ(line_of_stray_character("a = \"\"\"x \\\n  é\"\"\""), 2u);
  EXPECT_EQ(line_of_stray_character("a = 15e'é'"), 1u);
  EXPECT_EQ(line_of_stray_character("a = 'é\n\n é"), 3u) << "a string of one line ends with its line";
  EXPECT_EQ(line_of_stray_character("\xef\xbb\xbf# é \"\n'é' = \"\\\"é\"\n\"é\" = \'\'\'\né\'\'\'"), std::nullopt);
}

TEST(CircuitBreaker, OpensAfterThreeFailuresInAMinute) {
  using std::chrono::seconds;
  CircuitBreaker breaker;
  const CircuitBreaker::Clock::time_point start{seconds(1000)};
  breaker.failed(start);
  breaker.failed(start + seconds(70));
  breaker.failed(start + seconds(80));
  EXPECT_EQ(breaker.open_until(start + seconds(80)), std::nullopt);
  EXPECT_EQ(breaker.backoff(start + seconds(80)), std::chrono::milliseconds(500));
  breaker.failed(start + seconds(90));
  EXPECT_EQ(breaker.open_until(start + seconds(90)), start + seconds(120));
  EXPECT_EQ(breaker.open_until(start + seconds(120)), std::nullopt);
  breaker.failed(start + seconds(125));
  EXPECT_EQ(breaker.open_until(start + seconds(125)), start + seconds(155));
}

TEST(ShownPath, KeepsCredentialsOfAddressesToItself) {
  EXPECT_EQ(shown_path("/git/-/user:token@host/team/x/info/refs"), "/git/-/host/team/x/info/refs");
  EXPECT_EQ(shown_path("/git/-/a@b:c@host"), "/git/-/host");
  EXPECT_EQ(shown_path("/mirror/git/-/u:t@host/x/info/refs?service=y"), "/mirror/git/-/host/x/info/refs?service=y");
  EXPECT_EQ(shown_path("http://mirror/a/git/-/u:t@host/x"), "http://mirror/a/git/-/host/x");
  EXPECT_EQ(shown_path("/git/-/https://u:t@host/x@y"), "/git/-/https://host/x@y");
  EXPECT_EQ(shown_path("/git/-/https:/u:t@host/x"), "/git/-/https:/host/x");
  EXPECT_EQ(shown_path("/git/-/u:t@host:/x@y"), "/git/-/host:/x@y");
  EXPECT_EQ(shown_path("/git/-/a:b@m/git/-/u:t@host/x"), "/git/-/m/git/-/host/x");
  for (const auto* path : {"/git/-/host/a@b/info/refs", "/git/x/a@b", "/a@b", "", "/git/-/",
                           "/git/-/https:", "/git/-/https://", "/git/-/https://host/a@b"})
    EXPECT_EQ(shown_path(path), path);
}

}  // namespace
}  // namespace liftlock
