#include "ecosystem/model/json_scanner.hpp"

#include "base/error.hpp"

namespace liftlock {
namespace {

void append_utf8(std::string& out, std::uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

bool is_digit(int c) {
  return c >= '0' && c <= '9';
}

}  // namespace

JsonScanner::JsonScanner(ForwardReader& in, std::string_view what, int max_depth)
    : m_in(in), m_what(what), m_max_depth(max_depth) {}

void JsonScanner::bad(std::string_view why) const {
  fail(ErrorCode::model_malformed, "{}: {} (byte {})", m_what, why, m_in.offset());
}

int JsonScanner::skip_space() {
  while (true) {
    const int c = m_in.peek();
    if (c != ' ' && c != '\t' && c != '\n' && c != '\r') return c;
    m_in.skip(1);
  }
}

char JsonScanner::next() {
  const int c = skip_space();
  if (c < 0) bad("the JSON ends early");
  return static_cast<char>(c);
}

void JsonScanner::expect(char wanted) {
  if (next() != wanted) bad(fmt::format("'{}' is expected", wanted));
  m_in.skip(1);
}

void JsonScanner::word(std::string_view text) {
  for (const char c : text) {
    if (m_in.peek() != c) bad("not JSON");
    m_in.skip(1);
  }
}

void JsonScanner::enter() {
  if (++m_depth > m_max_depth) bad(fmt::format("nested deeper than {}", m_max_depth));
}

void JsonScanner::object(const std::function<void(const std::string&)>& member) {
  expect('{');
  enter();
  if (next() == '}') {
    m_in.skip(1);
  } else {
    while (true) {
      if (next() != '"') bad("a key is expected");
      const auto key = string();
      expect(':');
      member(key);
      if (next() == '}') break;
      expect(',');
    }
    m_in.skip(1);
  }
  --m_depth;
}

void JsonScanner::array(const std::function<void()>& element) {
  expect('[');
  enter();
  if (next() == ']') {
    m_in.skip(1);
  } else {
    while (true) {
      element();
      if (next() == ']') break;
      expect(',');
    }
    m_in.skip(1);
  }
  --m_depth;
}

std::uint32_t JsonScanner::hex4() {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) {
    const auto c = m_in.u8();
    const int digit = is_digit(c)            ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) bad("a broken \\u escape");
    value = value * 16 + static_cast<std::uint32_t>(digit);
  }
  return value;
}

void JsonScanner::escape(std::string& out) {
  const auto c = static_cast<char>(m_in.u8());
  constexpr std::string_view k_from = "\"\\/bfnrt";
  constexpr std::string_view k_to = "\"\\/\b\f\n\r\t";
  if (const auto at = k_from.find(c); at != std::string_view::npos) {
    out += k_to[at];
    return;
  }
  if (c != 'u') bad("an unknown escape");
  auto code = hex4();
  if (code >= 0xDC00 && code <= 0xDFFF) bad("a lone surrogate");
  if (code >= 0xD800 && code <= 0xDBFF) {
    const bool pair = m_in.u8() == '\\' && m_in.u8() == 'u';
    const auto low = pair ? hex4() : 0;
    if (low < 0xDC00 || low > 0xDFFF) bad("a lone surrogate");
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
  }
  append_utf8(out, code);
}

bool JsonScanner::character(std::string& out) {
  const auto c = m_in.u8();
  if (c == '"') return false;
  if (c < 0x20) bad("a control character in a string");
  if (c == '\\') {
    escape(out);
  } else {
    out += static_cast<char>(c);
  }
  return true;
}

std::string JsonScanner::string(std::size_t max_bytes) {
  expect('"');
  std::string out;
  while (character(out)) {
    if (out.size() > max_bytes) bad(fmt::format("a string of more than {} bytes", max_bytes));
  }
  if (!is_utf8(out)) bad("a string that is not UTF-8");
  return out;
}

void JsonScanner::skip_string() {
  expect('"');
  Utf8Check utf8;
  std::string piece;
  for (bool more = true; more;) {
    piece.clear();
    while (piece.size() < 4096 && (more = character(piece))) {
    }
    utf8.feed(as_bytes(piece));
  }
  if (!utf8.ok()) bad("a string that is not UTF-8");
}

std::uint64_t JsonScanner::number() {
  if (!is_digit(next())) bad("a whole number that is not negative is expected");
  const bool zero = m_in.peek() == '0';
  std::uint64_t value = 0;
  unsigned digits = 0;
  while (is_digit(m_in.peek())) {
    const auto digit = static_cast<std::uint64_t>(m_in.u8() - '0');
    if (__builtin_mul_overflow(value, std::uint64_t{10}, &value) || __builtin_add_overflow(value, digit, &value)) {
      bad("a number past 2^64");
    }
    ++digits;
  }
  if (zero && digits > 1) bad("a number with leading zeros");
  const int c = m_in.peek();
  if (c == '.' || c == 'e' || c == 'E') bad("a number with a fraction or an exponent");
  return value;
}

void JsonScanner::skip_number() {
  const auto digits = [this] {
    if (!is_digit(m_in.peek())) bad("a digit is expected");
    while (is_digit(m_in.peek())) m_in.skip(1);
  };
  if (m_in.peek() == '-') m_in.skip(1);
  if (m_in.peek() == '0') {
    m_in.skip(1);
    if (is_digit(m_in.peek())) bad("a number with leading zeros");
  } else {
    digits();
  }
  if (m_in.peek() == '.') {
    m_in.skip(1);
    digits();
  }
  if (m_in.peek() == 'e' || m_in.peek() == 'E') {
    m_in.skip(1);
    if (m_in.peek() == '+' || m_in.peek() == '-') m_in.skip(1);
    digits();
  }
}

void JsonScanner::skip_value() {
  switch (next()) {
    case '{':
      // Not object(): keys of any length are fine here.
      expect('{');
      enter();
      for (bool first = true; next() != '}'; first = false) {
        if (!first) expect(',');
        skip_string();
        expect(':');
        skip_value();
      }
      m_in.skip(1);
      --m_depth;
      return;
    case '[':
      return array([this] { skip_value(); });
    case '"':
      return skip_string();
    case 't':
      return word("true");
    case 'f':
      return word("false");
    case 'n':
      return word("null");
    default:
      return skip_number();
  }
}

void JsonScanner::end() {
  if (skip_space() >= 0) bad("something follows the JSON value");
}

void check_json(const ByteSource& file, std::string_view what, int max_depth) {
  std::uint64_t begin = 0;
  // Some editors leave a byte order mark; Python's json refuses it, engines do not mind.
  if (file.size() >= 3) {
    std::uint8_t mark[3];
    file.read(0, mark);
    if (mark[0] == 0xEF && mark[1] == 0xBB && mark[2] == 0xBF) begin = 3;
  }
  ForwardReader in(file, begin, file.size());
  JsonScanner scanner(in, what, max_depth);
  scanner.skip_value();
  scanner.end();
}

}  // namespace liftlock
