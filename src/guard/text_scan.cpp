#include "guard/text_scan.hpp"

#include <string_view>

namespace liftlock {
namespace {

constexpr std::size_t k_max_kept = 32;  ///< longer keys and numbers are none that we look for

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

void keep(std::string& text, char c) {
  if (text.size() < k_max_kept) text += c;
}

}  // namespace

void TextScan::feed(std::span<const std::uint8_t> bytes) {
  if (!m_ok) return;
  for (const auto b : bytes) {
    if (m_left > 0) {
      if (b < m_low || b > m_high) {
        m_ok = false;
        return;
      }
      m_low = 0x80;
      m_high = 0xBF;
      --m_left;
      continue;
    }
    if (b < 0x80) {
      const bool is_control = (b < 0x20 && b != '\t' && b != '\n' && b != '\f' && b != '\r') || b == 0x7F;
      if (!is_control) continue;
      m_ok = false;
      return;
    }
    if (b >= 0xC2 && b <= 0xDF) {
      m_left = 1;
    } else if (b >= 0xE0 && b <= 0xEF) {
      m_left = 2;
      if (b == 0xE0) m_low = 0xA0;
      if (b == 0xED) m_high = 0x9F;
    } else if (b >= 0xF0 && b <= 0xF4) {
      m_left = 3;
      if (b == 0xF0) m_low = 0x90;
      if (b == 0xF4) m_high = 0x8F;
    } else {
      m_ok = false;
      return;
    }
  }
}

void JsonScan::feed(std::span<const std::uint8_t> bytes) {
  for (const auto b : bytes) {
    if (!m_ok) return;
    step(static_cast<char>(b));
  }
}

void JsonScan::step(char c) {
  switch (m_token) {
    case Token::none:
      return begin(c);
    case Token::string:
    case Token::escape:
    case Token::unicode:
      return in_string(c);
    case Token::word:
      if (c != *m_rest) {
        m_ok = false;
      } else if (*++m_rest == '\0') {
        end_value();
      }
      return;
    case Token::number:
      // The byte behind a number ends it, and is read as what it is.
      if (in_number(c)) return;
      if (!is_whole_number()) {
        m_ok = false;
        return;
      }
      if (m_depth == 1 && m_values == 1 && m_key == "schemaVersion" && m_text == "2") m_oci = true;
      end_value();
      begin(c);
  }
}

void JsonScan::begin(char c) {
  if (c == ' ' || c == '\t' || c == '\n' || c == '\r') return;
  const bool in_object = m_depth > 0 && m_objects[m_depth - 1];
  switch (m_want) {
    case Want::value:
    case Want::value_or_end:
      if (c == ']' && m_want == Want::value_or_end) return close(false);
      return begin_value(c);
    case Want::key:
    case Want::key_or_end:
      if (c == '}' && m_want == Want::key_or_end) return close(true);
      if (c != '"') break;
      m_is_key = true;
      m_key.clear();
      m_token = Token::string;
      return;
    case Want::colon:
      if (c != ':') break;
      m_want = Want::value;
      return;
    case Want::comma_or_end:
      if (c == ',') {
        m_want = in_object ? Want::key : Want::value;
        return;
      }
      if (c == '}' || c == ']') return close(c == '}');
      break;
  }
  m_ok = false;
}

void JsonScan::begin_value(char c) {
  if (c == '{' || c == '[') return open(c == '{');
  m_ok = m_depth > 0;  // at the top only objects and arrays
  if (c == '"') {
    m_is_key = false;
    m_token = Token::string;
  } else if (c == 't' || c == 'f' || c == 'n') {
    m_rest = c == 't' ? "rue" : c == 'f' ? "alse" : "ull";
    m_token = Token::word;
  } else if (c == '-' || is_digit(c)) {
    m_text.clear();
    keep(m_text, c);
    m_number = c == '-' ? Number::minus : c == '0' ? Number::zero : Number::whole;
    m_token = Token::number;
  } else {
    m_ok = false;
  }
}

void JsonScan::open(bool object) {
  if (m_depth == k_max_depth) {
    m_ok = false;
    return;
  }
  if (m_depth == 0) ++m_values;
  m_objects[m_depth++] = object;
  m_want = object ? Want::key_or_end : Want::value_or_end;
}

void JsonScan::close(bool object) {
  if (m_depth == 0 || m_objects[m_depth - 1] != object) {
    m_ok = false;
    return;
  }
  --m_depth;
  end_value();
}

void JsonScan::end_value() {
  m_token = Token::none;
  m_want = m_depth == 0 ? Want::value : Want::comma_or_end;
}

void JsonScan::end_string() {
  if (!m_is_key) return end_value();
  m_token = Token::none;
  m_want = Want::colon;
  if (m_depth == 1 && m_values == 1 && m_key == "imageLayoutVersion") m_oci = true;
}

void JsonScan::in_string(char c) {
  if (m_token == Token::unicode) {
    m_ok = is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (--m_hex_left == 0) m_token = Token::string;
    return;
  }
  if (m_is_key) keep(m_key, c);
  if (m_token == Token::escape) {
    m_token = Token::string;
    if (c == 'u') {
      m_token = Token::unicode;
      m_hex_left = 4;
    } else {
      m_ok = std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos;
    }
    return;
  }
  if (c == '\\') {
    m_token = Token::escape;
  } else if (c == '"') {
    if (m_is_key && m_key.ends_with('"')) m_key.pop_back();
    end_string();
  } else if (static_cast<unsigned char>(c) < 0x20) {
    m_ok = false;
  }
}

/// Does the number go on with c?
bool JsonScan::in_number(char c) {
  const auto go = [&](Number next) {
    m_number = next;
    keep(m_text, c);
    return true;
  };
  switch (m_number) {
    case Number::minus:
      return is_digit(c) && go(c == '0' ? Number::zero : Number::whole);
    case Number::zero:
    case Number::whole:
      if (m_number == Number::whole && is_digit(c)) return go(Number::whole);
      if (c == '.') return go(Number::point);
      return (c == 'e' || c == 'E') && go(Number::e);
    case Number::point:
    case Number::fraction:
      if (is_digit(c)) return go(Number::fraction);
      return m_number == Number::fraction && (c == 'e' || c == 'E') && go(Number::e);
    case Number::e:
      if (c == '+' || c == '-') return go(Number::sign);
      [[fallthrough]];
    case Number::sign:
    case Number::exponent:
      return is_digit(c) && go(Number::exponent);
  }
  return false;
}

bool JsonScan::is_whole_number() const {
  return m_number == Number::zero || m_number == Number::whole || m_number == Number::fraction ||
         m_number == Number::exponent;
}

}  // namespace liftlock
