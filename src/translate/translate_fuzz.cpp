// Whatever the document: its pieces are the document, and marks come back as what they stand for.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "translate/marks.hpp"
#include "translate/piece.hpp"

using namespace liftlock::translate;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check(std::string_view text, const std::vector<Piece>& pieces, Markup markup) {
  std::string whole;
  for (const auto& piece : pieces) {
    whole += piece.text;
    const auto marked = mark(piece.words, markup);
    require(unmark(marked.text, marked.text, marked) == piece.words);
    std::string sentences_joined;
    for (const auto sentence : sentences(marked.text)) sentences_joined += sentence;
    require(sentences_joined == marked.text);
  }
  require(whole == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check(text, cut_plain_text(text), Markup::none);
  check(text, cut_markdown(text), Markup::markdown);
  return 0;
}
