// What a translation must not change, as marks: ⟦1⟧, ⟦2⟧ … A model keeps a mark more often than an address, and where
// it does not, it shows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace liftlock::translate {

struct Span {
  std::string text;
  bool closes = false;  ///< ends what the span before it in `opened` begins: it must stay behind it
  std::size_t opened = 0;
  bool hugs = false;  ///< emphasis: a blank between it and its words would make it none
};

struct Marked {
  std::string text;
  std::vector<Span> spans;  ///< of ⟦1⟧, ⟦2⟧, …
};

enum class Markup : std::uint8_t { none, markdown };

/// Addresses, {{templates}} and marks that stand there already become marks; with markdown also code, links (their
/// words stay), emphasis (the same), HTML tags, entities and footnotes.
Marked mark(std::string_view words, Markup markup);

/// What the emphasis of these words is written with, one for each ("**", "_"), sorted.
std::vector<std::string> emphases(std::string_view words);

/// nullopt: a mark is missing, there twice, unknown, or before the one it closes. Blanks that came between emphasis and
/// its words stand before or behind it.
/// @param part of marked.text that was translated; only its marks are looked for
std::optional<std::string> unmark(std::string_view answer, std::string_view part, const Marked& marked);

}  // namespace liftlock::translate
