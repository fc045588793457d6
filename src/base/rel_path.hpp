// A path inside a bundle, a store export or an archive. Constructed only by parsing, so that holding one is proof that
// it cannot leave its folder.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace liftlock {

/// A relative path with '/' between components: 1 to 1024 bytes, components of 1 to 200 bytes, no ".", "..", empty
/// component, leading or trailing '/', backslash, control byte, nor any of <>:"|?* (UDF, exFAT and NTFS refuse them);
/// no component ends in a space or a dot, or is a DOS device name such as CON. Bytes are printable ASCII.
/// Compared bytewise; two paths of one bundle must also differ under case_folded().
class RelPath {
 public:
  /// @throws Error{path_unsafe}
  static RelPath parse(std::string_view text);
  static std::optional<RelPath> try_parse(std::string_view text);

  const std::string& text() const { return m_text; }
  std::string_view filename() const;
  /// "a/b" for "a/b/c"; empty for "c".
  std::string_view parent() const;
  bool is_under(std::string_view folder) const;
  std::string case_folded() const;
  /// @throws Error{path_unsafe}
  RelPath operator/(std::string_view below) const { return parse(m_text + "/" + std::string(below)); }

  auto operator<=>(const RelPath&) const = default;

 private:
  explicit RelPath(std::string text) : m_text(std::move(text)) {}
  std::string m_text;
};

/// Why a text is no RelPath; empty when it is one.
std::string why_not_rel_path(std::string_view text);

/// Makes any text usable as one path component: bytes outside [A-Za-z0-9._+~=@-] become '_'. Distinct texts may meet.
std::string portable_component(std::string_view text);

}  // namespace liftlock
