// How a model is asked in the terminal: what `ask`, `run` and `translate` have in common.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"

namespace CLI {
class App;
}

namespace liftlock {

struct AnswerOptions {
  std::string model;
  std::string system;
  std::optional<double> temperature;
  std::optional<unsigned> max_tokens;
};

void add_answer_options(CLI::App& command, AnswerOptions& options);
/// The system's instruction, if there is one.
Json first_messages(const AnswerOptions& options);
Json chat_request(const AnswerOptions& options, const Json& messages);

/// What a model says may hold anything, and a terminal must not be steered by it: control characters are left out, but
/// for '\n' and '\t'.
std::string showable(std::string_view words);
/// showable(), to stdout, at once.
void print_words(std::string_view words);

/// Of a pipe or a terminal, to its end. @throws Error{limit_exceeded}
std::string read_standard_input(std::uint64_t max_bytes);

/// A text file (or "-": standard input) as a part of a question: its name, then what it holds between fences.
/// @throws Error{usage} for images and other files that are no text, Error{limit_exceeded} past 4 MiB
std::string read_attachment(const std::string& path);

/// Of a question and what is attached to it. @throws Error{usage} when it is empty or not UTF-8
std::string whole_question(std::string_view question, const std::vector<std::string>& attachments);

}  // namespace liftlock
