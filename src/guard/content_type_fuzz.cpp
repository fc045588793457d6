// ContentSniffer: the type of any bytes does not depend on how they come in pieces, and text is never called binary.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/encoding.hpp"
#include "guard/content_type.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  const std::span bytes(data, size);
  const auto whole = type_of_bytes(as_text(bytes));
  if (parse_content_type(name(whole)) != whole) std::abort();
  if ((whole == ContentType::empty) != (size == 0)) std::abort();
  ContentSniffer pieces;
  for (std::size_t at = 0, step = 1; at < size; at += step, step = step * 3 % 251) {
    pieces.feed(bytes.subspan(at, std::min(step, size - at)));
  }
  if (pieces.type() != whole) std::abort();
  const bool is_words = whole >= ContentType::openpgp_armor && whole <= ContentType::text;
  if (is_words && !is_utf8(as_text(bytes))) std::abort();
  return 0;
}
