// Looks for what was said in what is on record, however JSON writes it there.
#pragma once

#include <string_view>

#include "record/record.hpp"

namespace liftlock {

/// How many bytes of content one byte of a text may take, as it is looked for: "\\\\u0041" is JSON in JSON in JSON.
inline constexpr std::size_t k_longest_spelling = 16;

/// Does the text stand there, as it is, as JSON writes it (RFC 8259 section 7), or as JSON within JSON does? Prompts
/// are JSON, and the arguments of a tool call in them are JSON once more.
bool holds_text(std::string_view content, std::string_view text);
/// Does it stand in one of the parts of an answer on record?
bool answer_holds(std::string_view answer, std::string_view text);
/// Does it stand in one of the tags? What clients say in `metadata` and `user` is kept there alone.
bool tags_hold(const RecordHead& head, std::string_view text);

}  // namespace liftlock
