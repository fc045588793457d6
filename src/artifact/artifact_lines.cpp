#include "artifact/artifact_lines.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/error.hpp"
#include "base/plain_json.hpp"

namespace liftlock {
namespace {

/// Longer texts are refused, and so left to who says that.
constexpr std::size_t k_short = 4096;

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

/// Where the array begins whose name ends at `end`.
std::optional<std::size_t> array_after(std::string_view text, std::size_t end) {
  const auto colon = after_blanks(text, end);
  if (!stands_at(text, colon, ':')) return std::nullopt;
  const auto bracket = after_blanks(text, colon + 1);
  return stands_at(text, bracket, '[') ? std::optional(bracket) : std::nullopt;
}

/// The text of each element of the array that begins at `begin`, and where its ']' stands.
struct Elements {
  std::vector<std::string_view> texts;
  std::size_t end = 0;
};

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
      const auto element = text.substr(from, at - from);
      const bool blank = after_blanks(element, 0) == element.size();
      const bool none = blank && c == ']' && out.texts.empty();
      // A whole text may begin with a byte order mark, which is passed over.
      if (!none && (blank || element.starts_with('\xEF'))) return std::nullopt;
      if (!none) out.texts.push_back(element);
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

/// Of strings, as the writer puts them.
std::optional<Evidence> plain_evidence(PlainJson& json) {
  if (!json.take('{')) return std::nullopt;
  Evidence out{.type = {}, .details = Json::object()};
  bool typed = false;
  std::string_view last;
  do {
    const auto name = json.text();
    if (!name || *name <= last || !json.take(':')) return std::nullopt;
    const auto value = json.text();
    if (!value) return std::nullopt;
    last = *name;
    if (*name != "type") {
      out.details.emplace(*name, *value);
      continue;
    }
    if (value->size() > k_short) return std::nullopt;
    typed = true;
    out.type = *value;
  } while (json.take(','));
  if (!typed || !json.take('}')) return std::nullopt;
  return out;
}

/// nullopt: it is not what write_artifact() writes of most files.
std::optional<ArtifactFile> plain_file(std::string_view text) {
  PlainJson json(text);
  if (!json.take('{') || !json.key("digests") || !json.take('{') || !json.key("sha256")) return std::nullopt;
  const auto hex = json.text();
  if (!hex || !json.take('}') || !json.take(',') || !json.key("evidence") || !json.take('[')) return std::nullopt;
  std::vector<Evidence> evidence;
  if (!json.take(']')) {
    do {
      auto one = plain_evidence(json);
      if (!one) return std::nullopt;
      evidence.push_back(std::move(*one));
    } while (json.take(','));
    if (!json.take(']')) return std::nullopt;
  }
  if (!json.take(',') || !json.key("origin")) return std::nullopt;
  const auto origin = json.text();
  if (!origin || origin->size() > k_short || !json.take(',') || !json.key("path")) return std::nullopt;
  const auto path_text = json.text();
  if (!path_text || !json.take(',') || !json.key("size")) return std::nullopt;
  const auto size = json.number();
  if (!size || !json.take('}') || !json.at_end()) return std::nullopt;
  auto path = RelPath::try_parse(*path_text);
  const auto digest = hex->size() == 64 ? Digest::try_parse("sha256:" + std::string(*hex)) : std::nullopt;
  if (!path || !digest) return std::nullopt;
  return ArtifactFile{.path = std::move(*path),
                      .size = *size,
                      .digest = *digest,
                      .origin = std::string(*origin),
                      .evidence = std::move(evidence)};
}

}  // namespace

std::optional<CutText> cut_arrays(std::string_view text, std::span<const std::string_view> path) {
  CutText out;
  std::size_t copied = 0;  // of the text, into out.rest
  std::size_t level =
      0;  // arrays of the path that are open: 2 * level + 1 is the depth of what has the next one's name
  std::size_t depth = 0;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c != '"') {
      if (c == '{' || c == '[') ++depth;
      if ((c == '}' || c == ']') && depth > 0 && --depth < 2 * level) --level;
      ++at;
      continue;
    }
    const auto end = after_string(text, at);
    const auto name = text.substr(at, end - at);
    at = end;
    const bool named = depth == 2 * level + 1 && name.size() == path[level].size() + 2 && name.starts_with('"') &&
                       name.ends_with('"') && name.substr(1, name.size() - 2) == path[level];
    if (!named) continue;
    const auto bracket = array_after(text, end);
    if (!bracket) continue;
    at = *bracket;
    if (level + 1 < path.size()) {
      ++level;
      ++depth;
      ++at;
      continue;
    }
    auto elements = cut(text, at);
    if (!elements) return std::nullopt;
    out.rest += text.substr(copied, at + 1 - copied);
    copied = at = elements->end;
    out.arrays.push_back(std::move(elements->texts));
    ++depth;  // of the array, whose end comes next
  }
  out.rest += text.substr(copied);
  return out;
}

ArtifactFile parse_artifact_file(std::string_view text, JsonLimits limits, std::string_view where) {
  constexpr int k_plain_depth = 3;
  if (text.size() <= limits.max_bytes && limits.max_depth >= k_plain_depth) {
    if (auto file = plain_file(text)) return std::move(*file);
  }
  return artifact_file_from_json(parse_json(text, limits), where);
}

Artifact parse_artifact(std::string_view text, JsonLimits limits) {
  if (text.size() > limits.max_bytes) parse_json(text, limits);  // says so
  constexpr std::array<std::string_view, 1> k_files = {"files"};
  const auto parts = cut_arrays(text, k_files);
  if (!parts || parts->arrays.size() != 1) return artifact_from_json(parse_json(text, limits));
  // What stands around them first: it says whose files they are.
  const auto rest = parse_json(parts->rest, limits);
  limits.max_depth -= 2;
  const auto& files = parts->arrays[0];
  std::size_t next = 0;
  return artifact_from_parts(rest, files.size(),
                             [&](std::string_view where) { return parse_artifact_file(files[next++], limits, where); });
}

}  // namespace liftlock
