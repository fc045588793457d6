#include "ecosystem/oci/named_images.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock::oci {
namespace {

constexpr std::size_t k_most_images = 1000;
constexpr std::size_t k_longest_line = 4096;
constexpr std::string_view k_official = "library/";

/// The value of "image: …" or "- image: …" in one line; empty where the line says something else.
std::string_view value_of(std::string_view line) {
  if (line.size() > k_longest_line) return {};
  line = trim(line);
  if (line.starts_with("- ")) line = trim(line.substr(2));
  constexpr std::string_view key = "image:";
  if (!line.starts_with(key)) return {};
  auto value = line.substr(key.size());
  if (const auto comment = value.find(" #"); comment != std::string_view::npos) value = value.substr(0, comment);
  value = trim(value);
  for (const char quote : {'"', '\''}) {
    if (value.size() > 1 && value.front() == quote && value.back() == quote) return value.substr(1, value.size() - 2);
  }
  return value;
}

std::string_view unofficial(std::string_view repository) {
  return repository.starts_with(k_official) ? repository.substr(k_official.size()) : repository;
}

}  // namespace

std::vector<Reference> images_named_in(std::string_view yaml) {
  std::vector<Reference> out;
  for (const auto line : split(yaml, '\n')) {
    const auto value = value_of(line);
    if (value.empty() || value.find("{{") != std::string_view::npos || value.find('$') != std::string_view::npos)
      continue;
    try {
      const auto reference = parse_reference(value);
      if (std::find(out.begin(), out.end(), reference) == out.end()) out.push_back(reference);
    } catch (const Error&) {
      continue;  // another kind of image: a picture, a path
    }
    if (out.size() == k_most_images) break;
  }
  return out;
}

bool is_asked_for(const Artifact& image, const Reference& reference) {
  if (unofficial(image.name) != unofficial(reference.repository)) return false;
  if (!reference.digest) return image.version == reference.version();
  const auto manifest = image.facts.find("manifest");
  return manifest != image.facts.end() && manifest->is_object() &&
         manifest->value("digest", "") == reference.digest->text();
}

}  // namespace liftlock::oci
