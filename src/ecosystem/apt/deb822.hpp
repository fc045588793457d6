// Paragraphs of fields as Debian writes them: Packages, Release, control, *.sources (deb822(5)). Bounded; values are
// views into the text that was given, which must outlive them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace liftlock::apt {

struct Deb822Limits {
  std::size_t max_paragraph = 4u << 20;  ///< bytes; a Release is one paragraph of about 200 kB
  std::size_t max_fields = 512;          ///< of one paragraph
};

enum class Comments : std::uint8_t { refuse, skip };

class Paragraph {
 public:
  using Field = std::pair<std::string_view, std::string_view>;

  /// The value without surrounding blanks, inner lines as they stand; name in any case. nullopt when absent.
  std::optional<std::string_view> field(std::string_view name) const;
  std::string_view field_or(std::string_view name, std::string_view fallback) const;
  const std::vector<Field>& fields() const { return m_fields; }
  /// The paragraph's own bytes, without the empty line after it.
  std::string_view text() const { return m_text; }

 private:
  friend class ParagraphReader;
  std::vector<Field> m_fields;
  std::string_view m_text;
};

class ParagraphReader {
 public:
  /// @param where names the document in errors
  ParagraphReader(std::string_view text, std::string where, Comments comments = Comments::refuse,
                  Deb822Limits limits = {});

  /// The next paragraph into `out`; false at the end.
  /// @throws Error{schema_violation} for a broken line, a field that stands twice, a NUL; Error{limit_exceeded}
  bool next(Paragraph& out);

 private:
  void add_line(Paragraph& out, std::string_view line);
  std::string_view m_rest;
  std::string m_where;
  Comments m_comments;
  Deb822Limits m_limits;
  std::size_t m_line = 0;
};

/// The words of a value, separated by blanks and line ends.
std::vector<std::string_view> words(std::string_view value);

/// Do both names mean one field (ASCII, any case)?
bool same_field(std::string_view a, std::string_view b);

}  // namespace liftlock::apt
