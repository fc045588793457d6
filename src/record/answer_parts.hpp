// The parts of an answer: what a model said, its reasoning, the arguments of each tool call, and what else came with
// them. A stream brings them mixed, piece by piece, and each piece is on record before it leaves; so each is marked
// where another part begins, and reading puts together what belongs together. Format: docs/formats/record.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace liftlock {

/// What was said. An answer that holds nothing else has no mark.
inline constexpr std::string_view k_content_part = "content";
/// JSON, one object after the other: an engine's words about the others.
inline constexpr std::string_view k_other_part = "others";

/// Marks the pieces of one answer, in the order in which they come.
class AnswerMarks {
 public:
  /// The bytes for the record; none where there is no text.
  /// @param part lower-case letters, digits and blanks, 32 at most
  std::string piece(std::string_view part, std::string_view text);

 private:
  std::string m_part{k_content_part};
};

struct AnswerPart {
  std::string name;
  std::string text;
};
/// As they began to come, but the content first, also where it is empty.
std::vector<AnswerPart> answer_parts(std::string_view answer);

}  // namespace liftlock
