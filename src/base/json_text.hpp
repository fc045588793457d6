// JSON that is written piece by piece, so that a long document need not be a value first.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"

namespace liftlock {

/// Writes, byte for byte, what dump_json() or dump_json_line() write of the same value.
///
///   JsonText out(JsonText::Style::document);
///   out.begin_object().key("files").begin_array();
///   for (const auto& file : files) out.value(to_json(file));
///   out.end_array().end_object();
///   const auto text = out.take();
class JsonText {
 public:
  enum class Style { document, line };
  explicit JsonText(Style style) : m_style(style) {}

  JsonText& begin_object() { return begin('{'); }
  JsonText& end_object() { return end('}'); }
  JsonText& begin_array() { return begin('['); }
  JsonText& end_array() { return end(']'); }
  /// The next value is this member. @throws Error{internal} when the keys of an object do not rise
  JsonText& key(std::string_view key);
  JsonText& value(const Json& value);
  /// As value(), for who has no Json: it is faster.
  JsonText& text(std::string_view text);
  JsonText& number(std::uint64_t number);

  /// What was written since the last take(); a document has its newline once its value is whole.
  std::string take();

 private:
  struct Open {
    bool empty = true;
    std::string last_key;
  };
  JsonText& begin(char bracket);
  JsonText& end(char bracket);
  /// Before a member of an object, an element of an array, or the one value of the document.
  void place();
  JsonText& end_value();
  void new_line();
  void quote(std::string_view text);

  Style m_style;
  std::string m_out;
  std::vector<Open> m_open;  ///< from the root inwards
  bool m_after_key = false;
};

}  // namespace liftlock
