// A document, cut into what is to be translated and what stays as it is.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace liftlock::translate {

/// The texts of all pieces, one after the other, are the document, byte for byte.
struct Piece {
  std::string text;
  std::string words;  ///< of a paragraph, heading or cell, on one line, without the marks of its lines; empty: it stays
  bool cell = false;  ///< of a table: a '|' would end it
};

/// Paragraphs end at empty lines, at short lines and where the next line is indented or begins a list; indents and the
/// marks of items ("- ", "1. ") stay.
std::vector<Piece> cut_plain_text(std::string_view text);

/// CommonMark's blocks with tables, front matter and footnotes. Code, HTML blocks and link definitions stay, and so do
/// the marks of headings, lists, quotes and cells.
std::vector<Piece> cut_markdown(std::string_view text);

/// One after the other, each with the blanks that follow it: together they are the text. Full stops of abbreviations
/// and initials do not end a sentence; those of Chinese and Japanese need no blank.
std::vector<std::string_view> sentences(std::string_view text);

}  // namespace liftlock::translate
