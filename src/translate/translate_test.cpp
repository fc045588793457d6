#include "translate/translator.hpp"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "base/code_of.hpp"
#include "base/text.hpp"

namespace liftlock::translate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::vector<std::string> words_of(const std::vector<Piece>& pieces) {
  std::vector<std::string> out;
  for (const auto& piece : pieces) {
    if (!piece.words.empty()) out.push_back(piece.words);
  }
  return out;
}

std::string joined(const std::vector<Piece>& pieces) {
  std::string out;
  for (const auto& piece : pieces) out += piece.text;
  return out;
}

/// What stands behind the empty line of a request, in capitals: marks stay.
std::optional<std::string> shout(const std::string& request) {
  auto text = request.substr(request.find("\n\n") + 2);
  for (auto& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

struct Told {
  std::string text;
  Outcome outcome;
};

Told told(std::string_view document, Markup markup, const Ask& ask, Settings settings = {.to = "de"}) {
  const auto pieces = markup == Markup::markdown ? cut_markdown(document) : cut_plain_text(document);
  Journal journal(std::nullopt, "");
  Told told{"", translate(pieces, markup, settings, ask, journal, [] {})};
  for (const auto& text : told.outcome.texts) told.text += text;
  return told;
}

TEST(Sentences, EndWhereTheyEnd) {
  EXPECT_THAT(
      sentences("Dr. Ada came at 3.14 p.m. today, e.g. by boat. She left! \"Why?\" Nobody knows…"),
      ElementsAre("Dr. Ada came at 3.14 p.m. today, e.g. by boat. ", "She left! ", "\"Why?\" ", "Nobody knows…"));
  EXPECT_THAT(sentences("门开了。船来了！"), ElementsAre("门开了。", "船来了！"));
  EXPECT_THAT(sentences(""), IsEmpty());
}

TEST(PlainText, LinesOfAParagraphAreOneAndShortLinesAreTheirOwn) {
  const std::string text =
      "Title\n\nA paragraph whose lines are wrapped somewhere near\nthe eightieth column.\n  - an item\n10 Downing "
      "Street\nLondon\r\n";
  const auto pieces = cut_plain_text(text);
  EXPECT_EQ(joined(pieces), text);
  EXPECT_THAT(words_of(pieces),
              ElementsAre("Title", "A paragraph whose lines are wrapped somewhere near the eightieth column.",
                          "an item", "10 Downing Street", "London"));
}

TEST(PlainText, MarksOfItemsStayWhateverTheModelSays) {
  const auto bare = [](const std::string&) -> std::optional<std::string> { return "Wort"; };
  EXPECT_EQ(told("- an item\n  * another\n1. first\n12) twelfth\n• dot\n– dash\n+ [x] done\n", Markup::none, bare).text,
            "- Wort\n  * Wort\n1. Wort\n12) Wort\n• Wort\n– Wort\n+ [x] Wort\n");
  const std::string text =
      "- An item whose words go on, on a line of its own that\nfollows.\n3.14 is no item, -5 is none and\n-- "
      "neither\n-\n";
  const auto pieces = cut_plain_text(text);
  EXPECT_EQ(joined(pieces), text);
  EXPECT_THAT(words_of(pieces), ElementsAre("An item whose words go on, on a line of its own that follows.",
                                            "3.14 is no item, -5 is none and", "-- neither", "-"));
}

constexpr const char* k_markdown = R"(---
title: Locks
---
# A *lock* #

First line of `code here` and
second line, see [the guide](https://example.org/a_(b) "Title") or <https://example.org>.
Hard break  
next.

> quoted words
> go on

- [x] an item
  goes on
    1. a number

```sh
echo "not this"
```

    indented code

| Name | Use |
|------|:---:|
| boat | lifts `a|b` \| c |

<div>
html stays
</div>

[ref]: https://example.org "stays"
[^1]: A note.

***
)";

TEST(Markdown, OnlyProseIsTranslated) {
  const auto pieces = cut_markdown(k_markdown);
  EXPECT_EQ(joined(pieces), k_markdown);
  EXPECT_THAT(words_of(pieces),
              ElementsAre("A *lock*",
                          "First line of `code here` and second line, see [the guide](https://example.org/a_(b) "
                          "\"Title\") or <https://example.org>. Hard break",
                          "next.", "quoted words go on", "an item goes on", "a number", "Name", "Use", "boat",
                          "lifts `a", "b` \\| c", "A note."));
}

TEST(Markdown, WhatIsNoProseComesBackUnchanged) {
  const auto shouted = told(k_markdown, Markup::markdown, shout);
  EXPECT_THAT(shouted.outcome.remarks, IsEmpty());
  for (const auto* same :
       {"title: Locks", "# A *LOCK* #", "`code here`", "](https://example.org/a_(b) \"Title\")",
        "<https://example.org>", "[THE GUIDE]", "HARD BREAK  \nNEXT.", "> QUOTED WORDS GO ON\n",
        "- [x] AN ITEM GOES ON\n", "    1. A NUMBER", "echo \"not this\"", "    indented code", "| NAME | USE |",
        "|------|:---:|", "html stays", "[ref]: https://example.org \"stays\"", "[^1]: A NOTE.", "***\n"}) {
    EXPECT_THAT(shouted.text, HasSubstr(same));
  }
}

TEST(Marks, AMarkThatIsLostOrDoubledOrMovedBeforeItsBeginningIsSeen) {
  const auto marked = mark("see [here](https://a.example) and `x` at https://b.example.", Markup::markdown);
  EXPECT_EQ(marked.text, "see ⟦1⟧here⟦2⟧ and ⟦3⟧ at ⟦4⟧.");
  const auto back = [&](std::string_view answer) { return unmark(answer, marked.text, marked); };
  EXPECT_EQ(back("⟦3⟧ und ⟦ 1 ⟧hier⟦2⟧ bei ⟦4⟧."), "`x` und [hier](https://a.example) bei https://b.example.");
  EXPECT_EQ(back("⟦1⟧hier⟦2⟧ und ⟦3⟧."), std::nullopt);
  EXPECT_EQ(back("⟦1⟧hier⟦2⟧ ⟦3⟧ ⟦3⟧ ⟦4⟧"), std::nullopt);
  EXPECT_EQ(back("⟦2⟧hier⟦1⟧ ⟦3⟧ ⟦4⟧"), std::nullopt);
  EXPECT_EQ(back("⟦1⟧hier⟦2⟧ ⟦3⟧ ⟦4⟧ ⟦5⟧"), std::nullopt);
  EXPECT_EQ(back("⟦1⟧hier⟦2⟧ ⟦3⟧ ⟦4⟧ ⟦"), std::nullopt);
  const auto there = mark("a ⟦1⟧ of their own", Markup::none);
  EXPECT_EQ(unmark(there.text, there.text, there), "a ⟦1⟧ of their own");
}

TEST(Marks, EmphasisIsAPairAndWhatOnlyLooksLikeItIsNot) {
  const std::vector<std::pair<std::string, std::string>> marked = {
      {"**very** _big_ *thing*, ~~gone~~", "⟦1⟧very⟦2⟧ ⟦3⟧big⟦4⟧ ⟦5⟧thing⟦6⟧, ⟦7⟧gone⟦8⟧"},
      {"**a *b***", "⟦1⟧a ⟦2⟧b⟦3⟧⟦4⟧"},
      {"***both*** and *half", "⟦1⟧both⟦2⟧ and *half"},
      {"*a**b*", "⟦1⟧a**b⟦2⟧"},
      {"un*frigging*believable", "un⟦1⟧frigging⟦2⟧believable"},
      {"**[see *it*](u)**", "⟦1⟧⟦2⟧see ⟦3⟧it⟦4⟧⟦5⟧⟦6⟧"},
      {"`*x*` \\*no\\* <b a=\"*\"> *", "⟦1⟧ \\*no\\* ⟦2⟧ *"},
      {"2 * 3 * 4, a_snake_case, ~5 to ~6, ** no **", "2 * 3 * 4, a_snake_case, ~5 to ~6, ** no **"}};
  for (const auto& [words, text] : marked) {
    const auto found = mark(words, Markup::markdown);
    EXPECT_EQ(found.text, text);
    EXPECT_EQ(unmark(found.text, found.text, found), words);
  }
  EXPECT_EQ(mark("a *b*", Markup::none).text, "a *b*");
  EXPECT_THAT(emphases("**a *b*** _c_"), ElementsAre("*", "**", "_"));
}

TEST(Marks, ABlankBetweenEmphasisAndItsWordsStandsOutside) {
  const auto marked = mark("a **very _good_** thing", Markup::markdown);
  const auto back = [&](std::string_view answer) { return unmark(answer, marked.text, marked); };
  EXPECT_EQ(back("ein ⟦1⟧ sehr ⟦2⟧gut ⟦3⟧ ⟦4⟧ Ding"), "ein **sehr _gut_** Ding");
  EXPECT_EQ(back("ein⟦1⟧ sehr⟦2⟧ gut⟦3⟧ ⟦4⟧Ding"), "ein **sehr _gut_** Ding");
  EXPECT_EQ(back("⟦1⟧ ⟦2⟧ Gut⟦3⟧ sehr ⟦4⟧."), "**_Gut_ sehr**.");
}

TEST(Translate, EmphasisThatAModelDropsIsAskedForAgainAndThenTold) {
  int asked = 0;
  std::string first;
  const auto forgetful = [&](const std::string& request) -> std::optional<std::string> {
    return ++asked == 1 ? first : shout(request);
  };
  for (const auto* lost : {"THIS IS VERY GOOD.", "THIS IS ⟦1⟧⟦2⟧ VERY GOOD.", "THIS IS⟦1⟧VERY⟦2⟧ GOOD."}) {
    asked = 0;
    first = lost;
    const auto kept = told("This is _very_ good.\n", Markup::markdown, forgetful);
    EXPECT_EQ(kept.text, "THIS IS _VERY_ GOOD.\n");
    EXPECT_EQ(asked, 2) << lost;
    EXPECT_THAT(kept.outcome.remarks, IsEmpty());
  }
  const auto never = [](const std::string&) -> std::optional<std::string> { return "Sehr gut."; };
  const auto left = told("# A **lock**\n\nThis is good.\n", Markup::markdown, never);
  EXPECT_EQ(left.text, "# A **lock**\n\nSehr gut.\n");
  ASSERT_EQ(left.outcome.remarks.size(), 1u);
  EXPECT_EQ(left.outcome.remarks[0].piece, 1u);
  EXPECT_THAT(left.outcome.remarks[0].what, HasSubstr("not translated"));
}

TEST(Translate, EmphasisOverSeveralSentencesIsTranslatedInParts) {
  auto settings = Settings{.to = "de"};
  settings.part_bytes = 20;
  std::vector<std::string> parts;
  const auto ask = [&](const std::string& request) {
    parts.push_back(request.substr(request.find("\n\n") + 2));
    return shout(request);
  };
  const auto said = told("**One is here. Two is there.** And three.", Markup::markdown, ask, settings);
  EXPECT_EQ(said.text, "**ONE IS HERE. TWO IS THERE.** AND THREE.");
  EXPECT_THAT(parts, ElementsAre("⟦1⟧One is here.", "Two is there.⟦2⟧", "And three."));
  EXPECT_THAT(said.outcome.remarks, IsEmpty());
}

TEST(Translate, AnAnswerThatBreaksTheDocumentIsAskedForAgainAndThenLeftOut) {
  int asked = 0;
  const auto forgetful = [&](const std::string& request) -> std::optional<std::string> {
    ++asked;
    return asked == 1 ? "ALLES WEG" : shout(request);
  };
  EXPECT_EQ(told("Use `ls` here.", Markup::markdown, forgetful).text, "USE `ls` HERE.");
  EXPECT_EQ(asked, 2);
  const auto never = [](const std::string&) -> std::optional<std::string> { return std::string(5000, 'x'); };
  const auto kept = told("Short words.\n\nUse `ls` here.\n", Markup::markdown, never);
  EXPECT_EQ(kept.text, "Short words.\n\nUse `ls` here.\n");
  EXPECT_EQ(kept.outcome.kept, 2u);
  EXPECT_EQ(kept.outcome.remarks.size(), 2u);
}

TEST(Translate, AnswersAreOneLineWithoutQuotes) {
  const auto chatty = [](const std::string&) -> std::optional<std::string> {
    return "\n\"Ein Satz.\n\nNoch einer.\"\n";
  };
  EXPECT_EQ(told("A sentence.\n", Markup::none, chatty).text, "Ein Satz. Noch einer.\n");
  const auto bar = [](const std::string&) -> std::optional<std::string> { return "a|b"; };
  EXPECT_EQ(told("|A|\n|-|\n|x|\n", Markup::markdown, bar).text, "|a\\|b|\n|-|\n|a\\|b|\n");
}

TEST(Translate, TermsOfTheGlossaryAreAskedForWhereTheyStandAndMissedOnesAreTold) {
  Settings settings{
      .from = "en", .to = "de", .glossary = parse_glossary("# ours\nair gap = Luftspalt\nboat = Schiff\n")};
  std::vector<std::string> requests;
  const auto ask = [&](const std::string& request) -> std::optional<std::string> {
    requests.push_back(request);
    return "Der Spalt";
  };
  const auto said = told("The Air Gap.\n", Markup::none, ask, settings);
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_THAT(requests[0], HasSubstr("from English to German"));
  EXPECT_THAT(requests[0], HasSubstr("\"air gap\" as \"Luftspalt\""));
  EXPECT_THAT(requests[0], Not(HasSubstr("Schiff")));
  ASSERT_EQ(said.outcome.remarks.size(), 1u);
  EXPECT_THAT(said.outcome.remarks[0].what, HasSubstr("Luftspalt"));
  EXPECT_EQ(code_of([] { parse_glossary("a = b\nno sign\n"); }), ErrorCode::config_invalid);
}

TEST(Translate, NumbersAndBareMarksAreNotAskedFor) {
  int asked = 0;
  const auto count = [&](const std::string& request) {
    ++asked;
    return shout(request);
  };
  EXPECT_EQ(told("42\n\n`code`\n\n--\n\n3.14 %\n", Markup::markdown, count).text, "42\n\n`code`\n\n--\n\n3.14 %\n");
  EXPECT_EQ(asked, 0);
}

TEST(Translate, ALongParagraphIsAskedForInPartsOfWholeSentences) {
  std::string text;
  for (int i = 10; i < 50; ++i) text += "This is sentence " + std::to_string(i) + " of a text. ";
  std::vector<std::size_t> sizes;
  const auto ask = [&](const std::string& request) {
    sizes.push_back(request.size());
    return shout(request);
  };
  auto settings = Settings{.to = "de"};
  settings.part_bytes = 200;
  const auto said = told(text, Markup::none, ask, settings);
  EXPECT_EQ(said.text.substr(0, 62), "THIS IS SENTENCE 10 OF A TEXT. THIS IS SENTENCE 11 OF A TEXT. ");
  EXPECT_EQ(said.text.size(), text.size());
  EXPECT_EQ(sizes.size(), 7u);
}

TEST(Translate, ARunThatWasInterruptedGoesOnAndOtherSettingsBeginAnew) {
  TemporaryFolder folder;
  const auto file = folder.path() / "out.partial";
  const auto pieces = cut_plain_text("One.\n\nTwo.\n\nThree.\n");
  const Settings settings{.to = "de"};
  int asked = 0;
  const auto until = [&](int last) {
    return [&asked, last](const std::string& request) { return ++asked > last ? std::nullopt : shout(request); };
  };
  const auto run = [&](const Ask& ask, const std::string& key) {
    Journal journal(file, key);
    return translate(pieces, Markup::none, settings, ask, journal, [] {});
  };
  EXPECT_TRUE(run(until(2), "key").stopped);
  // A line that was cut off is forgotten.
  const auto half = read_file(file, 1 << 20);
  write_file_atomically(file, half + "{\"part\":\"Th", 0600);
  asked = 0;
  const auto rest = run(until(9), "key");
  EXPECT_FALSE(rest.stopped);
  EXPECT_EQ(rest.reused, 2u);
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(run(until(9), "key").reused, 3u);
  EXPECT_EQ(run(until(99), "other").reused, 0u);
}

TEST(Translate, ATemplateOfTheModelIsObeyed) {
  Settings settings{.to = "fr", .model_template = "{to}: {text}"};
  std::string request;
  const auto ask = [&](const std::string& given) -> std::optional<std::string> {
    request = given;
    return "Bonjour";
  };
  EXPECT_EQ(told("Say {to}.", Markup::none, ask, settings).text, "Bonjour");
  EXPECT_EQ(request, "French: Say {to}.");
}

TEST(Translate, WhatTheAnswerDependsOnIsInTheKey) {
  const Settings german{.to = "de"};
  const Json request = {{"model", "sha256:01"}, {"temperature", 0.5}, {"max_tokens", 9}, {"messages", "a"}};
  const Json others = {{"model", "sha256:02"}, {"temperature", 1.0}, {"max_tokens", 10}, {"messages", "b"}};
  const auto key = settings_key(german, request);
  EXPECT_EQ(key, settings_key(german, request));
  for (const auto& [member, other] : others.items()) {
    auto changed = request;
    changed[member] = other;
    EXPECT_NE(settings_key(german, changed), key) << member;
  }
  EXPECT_NE(settings_key({.to = "fr"}, request), key);
  EXPECT_NE(settings_key({.to = "de", .glossary = {{"gap", "Luftspalt"}}}, request), key);
  EXPECT_NE(settings_key({.to = "de", .model_template = "{text}"}, request), key);
}

}  // namespace
}  // namespace liftlock::translate
