// Is a stream of bytes text, and is it JSON? In pieces of any size, with flat memory; nothing is kept of the bytes.
#pragma once

#include <bitset>
#include <cstdint>
#include <span>
#include <string>

namespace liftlock {

/// UTF-8 (RFC 3629) without control characters but tab, line feed, form feed and carriage return.
class TextScan {
 public:
  void feed(std::span<const std::uint8_t> bytes);
  /// Nothing so far speaks against it; the last character may be cut off.
  bool may_be() const { return m_ok; }
  bool is_text() const { return m_ok && m_left == 0; }

 private:
  bool m_ok = true;
  unsigned m_left = 0;  ///< bytes that the character still needs
  std::uint8_t m_low = 0x80;
  std::uint8_t m_high = 0xBF;
};

/// One or more JSON objects or arrays (RFC 8259), white space between them or none; at most 256 deep. That strings are
/// UTF-8 is for TextScan to say.
class JsonScan {
 public:
  void feed(std::span<const std::uint8_t> bytes);
  bool is_json() const { return m_ok && m_values > 0 && m_depth == 0 && m_token == Token::none; }
  /// The first value is an object with "schemaVersion": 2 or an "imageLayoutVersion": a document of an OCI image.
  bool is_oci() const { return is_json() && m_oci; }

 private:
  static constexpr unsigned k_max_depth = 256;
  enum class Want : std::uint8_t { value, value_or_end, key, key_or_end, colon, comma_or_end };
  enum class Token : std::uint8_t { none, string, escape, unicode, word, number };
  enum class Number : std::uint8_t { minus, zero, whole, point, fraction, e, sign, exponent };

  void step(char c);
  void begin(char c);
  void begin_value(char c);
  void open(bool object);
  void close(bool object);
  void end_value();
  void end_string();
  void in_string(char c);
  bool in_number(char c);
  bool is_whole_number() const;

  bool m_ok = true;
  Want m_want = Want::value;
  Token m_token = Token::none;
  Number m_number = Number::zero;
  unsigned m_depth = 0;
  std::bitset<k_max_depth> m_objects;  ///< per level: an object, or an array
  unsigned m_hex_left = 0;
  const char* m_rest = nullptr;  ///< of true, false or null
  bool m_is_key = false;
  std::uint64_t m_values = 0;  ///< begun at the top
  std::string m_key;           ///< the last key of the first value's top level, cut off
  std::string m_text;          ///< of the number that is read, cut off
  bool m_oci = false;
};

}  // namespace liftlock
