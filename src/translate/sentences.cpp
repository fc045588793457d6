#include <algorithm>
#include <array>
#include <cctype>

#include "translate/piece.hpp"

namespace liftlock::translate {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/// How many bytes of a mark that ends a sentence begin here; 0: none.
std::size_t end_mark(std::string_view rest) {
  for (const std::string_view mark : {"…", "。", "！", "？"}) {
    if (rest.starts_with(mark)) return mark.size();
  }
  return !rest.empty() && (rest[0] == '.' || rest[0] == '!' || rest[0] == '?') ? 1 : 0;
}

bool needs_no_blank(std::string_view mark) {
  return mark == "。" || mark == "！" || mark == "？";
}

std::size_t closing(std::string_view rest) {
  for (const std::string_view mark : {"\"", "'", ")", "]", "»", "”", "’", "“", "」", "』", "）", "*", "_"}) {
    if (rest.starts_with(mark)) return mark.size();
  }
  // The end of emphasis or of a link, as marks.cpp writes it.
  if (!rest.starts_with("⟦")) return 0;
  const auto end = rest.substr(0, 24).find("⟧");
  return end == std::string_view::npos ? 0 : end + std::string_view("⟧").size();
}

/// The word that the full stop at the end of the text belongs to, without it.
std::string_view last_word(std::string_view text) {
  text.remove_suffix(1);
  const auto begin = text.find_last_of(" \t\n\r(\"'");
  return begin == std::string_view::npos ? text : text.substr(begin + 1);
}

bool is_abbreviation(std::string_view word) {
  constexpr std::array<std::string_view, 38> k_known = {
      "mr",  "mrs", "ms", "dr",  "prof", "st", "vs",  "etc", "e.g", "i.e", "fig", "no",    "nr",
      "vol", "ca",  "cf", "al",  "bzw",  "ca", "z.B", "d.h", "u.a", "usw", "Abb", "S",     "Hr",
      "Fr",  "art", "Bd", "inc", "ltd",  "p",  "pp",  "ed",  "eds", "M",   "Mme", "approx"};
  const auto same = [&](std::string_view known) {
    return std::equal(word.begin(), word.end(), known.begin(), known.end(),
                      [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
  };
  const bool initial = word.size() == 1 && std::isupper(static_cast<unsigned char>(word[0])) != 0;
  return initial || std::any_of(k_known.begin(), k_known.end(), same);
}

}  // namespace

std::vector<std::string_view> sentences(std::string_view text) {
  std::vector<std::string_view> out;
  std::size_t begin = 0, at = 0;
  while (at < text.size()) {
    const auto mark = end_mark(text.substr(at));
    if (mark == 0) {
      ++at;
      continue;
    }
    const auto what = text.substr(at, mark);
    const bool stop = what == "." && is_abbreviation(last_word(text.substr(begin, at + 1 - begin)));
    at += mark;
    while (const auto more = end_mark(text.substr(at))) at += more;
    while (const auto more = closing(text.substr(at))) at += more;
    const bool blank = at < text.size() && is_blank(text[at]);
    if (at < text.size() && (stop || (!blank && !needs_no_blank(what)))) continue;
    while (at < text.size() && is_blank(text[at])) ++at;
    // After a full stop a sentence does not go on in small letters.
    if (at < text.size() && what == "." && std::islower(static_cast<unsigned char>(text[at])) != 0) continue;
    out.push_back(text.substr(begin, at - begin));
    begin = at;
  }
  if (begin < text.size()) out.push_back(text.substr(begin));
  return out;
}

}  // namespace liftlock::translate
