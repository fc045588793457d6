#include "ecosystem/ollama/name.hpp"

#include <algorithm>
#include <vector>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock::ollama {
namespace {

constexpr std::size_t k_max_part = 80;
constexpr std::size_t k_max_host = 350;

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// @param besides bytes that may follow the first one, besides those of words
bool is_part(std::string_view text, std::size_t most, std::string_view besides) {
  return !text.empty() && text.size() <= most && is_word(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return is_word(c) || besides.find(c) != std::string_view::npos; });
}

bool is_valid(const Name& name) {
  return is_part(name.host, k_max_host, "-.:") && is_part(name.space, k_max_part, "-") &&
         is_part(name.model, k_max_part, "-.") && is_part(name.tag, k_max_part, "-.");
}

}  // namespace

std::string Name::text() const {
  auto out = model + ":" + tag;
  if (host != k_default_host) return host + "/" + space + "/" + out;
  return space == k_default_namespace ? out : space + "/" + out;
}

std::string Name::path() const {
  return host + "/" + space + "/" + model + "/" + tag;
}

Name parse_name(std::string_view text) {
  Name out;
  auto rest = text;
  if (const auto scheme = rest.find("://"); scheme != std::string_view::npos) rest.remove_prefix(scheme + 3);
  const auto slash = rest.rfind('/');
  const auto colon = rest.rfind(':');
  if (colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash)) {
    out.tag = rest.substr(colon + 1);
    rest = rest.substr(0, colon);
  }
  auto parts = split(rest, '/');
  if (parts.size() <= 3) {
    out.model = parts.back();
    if (parts.size() > 1) out.space = parts[parts.size() - 2];
    if (parts.size() > 2) out.host = parts[0];
    if (is_valid(out)) return out;
  }
  throw Error(ErrorCode::schema_violation,
              fmt::format("'{}' is no name of a model as Ollama has them", printable(text.substr(0, 200))),
              "write MODEL, MODEL:TAG, NAMESPACE/MODEL:TAG or HOST/NAMESPACE/MODEL:TAG, as `ollama list` shows it");
}

std::optional<Name> name_of_path(std::string_view path) {
  const auto parts = split(path, '/');
  if (parts.size() != 4) return std::nullopt;
  Name out{std::string(parts[0]), std::string(parts[1]), std::string(parts[2]), std::string(parts[3])};
  return is_valid(out) ? std::optional(std::move(out)) : std::nullopt;
}

std::string fit_part(std::string_view text) {
  std::string out(text.substr(0, k_max_part));
  for (auto& c : out) {
    if (!is_word(c) && c != '-' && c != '.') c = '-';
  }
  if (out.empty() || !is_word(out.front())) out = "m" + out.substr(0, k_max_part - 1);
  return out;
}

}  // namespace liftlock::ollama
