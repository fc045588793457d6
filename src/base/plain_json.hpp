// Reads what stands in most lines of our lists, without a value of JSON for it: objects whose members are known and
// whose strings need no escapes. Whatever is not so is declined, and parse_json() is asked, which says what is wrong
// with it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace liftlock {

/// Every member skips the blanks before what it takes, and takes nothing where it says no.
class PlainJson {
 public:
  /// @param text outlives what is read from it
  explicit PlainJson(std::string_view text) : m_rest(text) {}

  /// One of {}[],:
  bool take(char token);
  /// A string of printable ASCII without escapes: what stands between its quotes.
  std::optional<std::string_view> text();
  /// A whole number that is not negative; what follows it is the caller's to check.
  std::optional<std::uint64_t> number();
  /// "NAME":
  bool key(std::string_view name);
  /// Nothing but blanks is left.
  bool at_end();

 private:
  void skip_blanks();

  std::string_view m_rest;
};

}  // namespace liftlock
