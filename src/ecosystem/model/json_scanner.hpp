// Strict JSON (RFC 8259) read forwards through a small buffer: memory does not grow with the document. For headers of
// up to 100 MB and for tokenizer.json, which would fill gigabytes as a tree of values.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/encoding.hpp"
#include "ecosystem/model/byte_source.hpp"

namespace liftlock {

/// Every member @throws Error{model_malformed} for what is not JSON, and past its limits.
class JsonScanner {
 public:
  /// @param what names the document in errors ("the safetensors header")
  JsonScanner(ForwardReader& in, std::string_view what, int max_depth);

  /// Calls member(key) for each member of the object at hand, which must consume the value.
  void object(const std::function<void(const std::string& key)>& member);
  /// Calls element() for each element of the array at hand, which must consume it.
  void array(const std::function<void()>& element);
  /// A string of at most max_bytes bytes of UTF-8, escapes resolved.
  std::string string(std::size_t max_bytes = 4096);
  /// A string of any length, checked and not kept.
  void skip_string();
  /// A whole number that is not negative, without fraction or exponent.
  std::uint64_t number();
  /// Any value.
  void skip_value();
  /// Only white space may be left.
  void end();
  /// Is a string, object … next? The first byte of the next value, white space consumed.
  char next();

  [[noreturn]] void bad(std::string_view why) const;

 private:
  int skip_space();
  void expect(char wanted);
  void word(std::string_view text);
  void skip_number();
  /// One character of a string after the opening quote, as UTF-8; false at the closing quote.
  bool character(std::string& out);
  void escape(std::string& out);
  std::uint32_t hex4();
  void enter();

  ForwardReader& m_in;
  std::string_view m_what;
  int m_max_depth;
  int m_depth = 0;
};

/// A whole document: any value, nested at most max_depth deep. Duplicate keys are not looked for.
/// @throws Error{model_malformed}
void check_json(const ByteSource& file, std::string_view what, int max_depth);

}  // namespace liftlock
