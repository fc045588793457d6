#include "artifact/artifact_lines.hpp"

#include <optional>
#include <utility>

#include "base/error.hpp"

namespace liftlock {
namespace {

/// Where the string that begins at `at` has ended; the length of the text when it never does.
std::size_t after_string(std::string_view text, std::size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\\') ++at;
  }
  return std::min(at + 1, text.size());
}

std::size_t after_blanks(std::string_view text, std::size_t at) {
  return std::min(text.find_first_not_of(" \t\r\n", at), text.size());
}

bool stands_at(std::string_view text, std::size_t at, char wanted) {
  return at < text.size() && text[at] == wanted;
}

/// The first '[' of the first member "files" of the outermost object.
std::optional<std::size_t> find_files(std::string_view text) {
  int depth = 0;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c != '"') {
      if (c == '{' || c == '[') ++depth;
      if (c == '}' || c == ']') --depth;
      ++at;
      continue;
    }
    const auto end = after_string(text, at);
    const bool named = depth == 1 && text.substr(at, end - at) == "\"files\"";
    at = end;
    if (!named) continue;
    if (const auto colon = after_blanks(text, end); stands_at(text, colon, ':')) {
      const auto bracket = after_blanks(text, colon + 1);
      if (stands_at(text, bracket, '[')) return bracket;
      return std::nullopt;
    }
  }
  return std::nullopt;
}

/// The text of each element of the array that begins at `begin`, and where its ']' stands.
struct Elements {
  std::vector<std::string_view> texts;
  std::size_t end = 0;
};

/// Nothing is judged here: whatever is no JSON is still so in an element, or in what is left.
std::optional<Elements> cut(std::string_view text, std::size_t begin) {
  Elements out;
  auto from = begin + 1;
  int depth = 0;
  for (auto at = from; at < text.size();) {
    const char c = text[at];
    if (c == '"') {
      at = after_string(text, at);
      continue;
    }
    if (depth == 0 && (c == ',' || c == ']')) {
      const bool none = c == ']' && out.texts.empty() && after_blanks(text, from) == at;
      if (!none) out.texts.push_back(text.substr(from, at - from));
      from = at + 1;
      if (c == ']') {
        out.end = at;
        return out;
      }
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && --depth < 0) {
      return std::nullopt;
    }
    ++at;
  }
  return std::nullopt;
}

}  // namespace

Artifact parse_artifact(std::string_view text, JsonLimits limits) {
  if (text.size() > limits.max_bytes) parse_json(text, limits);  // says so
  const auto begin = find_files(text);
  const auto elements = begin ? cut(text, *begin) : std::nullopt;
  if (!elements) return artifact_from_json(parse_json(text, limits));
  // What stands around them first: it says whose files they are.
  const auto rest =
      parse_json(std::string(text.substr(0, *begin + 1)) + std::string(text.substr(elements->end)), limits);
  limits.max_depth -= 2;
  std::size_t next = 0;
  return artifact_from_parts(rest, elements->texts.size(), [&] { return parse_json(elements->texts[next++], limits); });
}

}  // namespace liftlock
