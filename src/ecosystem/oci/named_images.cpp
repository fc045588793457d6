#include "ecosystem/oci/named_images.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/oci/image.hpp"

namespace liftlock::oci {
namespace {

constexpr std::size_t k_most_images = 1000;
constexpr std::size_t k_longest_line = 4096;
constexpr std::string_view k_key = "image";

bool ends_a_word(char c) {
  return c == ' ' || c == '\t' || c == '{' || c == ',' || c == '-' || c == '[';
}

/// A plain or quoted value at the beginning of the text.
std::string_view value_at(std::string_view text) {
  text = trim(text);
  if (text.empty()) return {};
  if (text.front() == '"' || text.front() == '\'') {
    const auto end = text.find(text.front(), 1);
    return end == std::string_view::npos ? std::string_view() : text.substr(1, end - 1);
  }
  if (text.starts_with("{{")) return text;
  const auto comment = text.find(" #");
  return trim(text.substr(0, std::min({comment, text.find(','), text.find('}'), text.find(']')})));
}

/// The values of all keys "image" of one line, which may be quoted, and stand in a flow mapping.
std::vector<std::string_view> values_of(std::string_view line) {
  std::vector<std::string_view> out;
  if (line.size() > k_longest_line || trim(line).starts_with('#')) return out;
  for (auto at = line.find(k_key); at != std::string_view::npos; at = line.find(k_key, at + 1)) {
    auto begin = at, end = at + k_key.size();
    const char before = begin == 0 ? ' ' : line[begin - 1];
    if (before == '"' || before == '\'') {
      if (end >= line.size() || line[end] != before) continue;
      --begin;
      ++end;
    }
    if (begin > 0 && !ends_a_word(line[begin - 1])) continue;
    while (end < line.size() && line[end] == ' ') ++end;
    if (end >= line.size() || line[end] != ':') continue;
    if (const auto value = value_at(line.substr(end + 1)); !value.empty()) out.push_back(value);
  }
  return out;
}

/// One name for each registry: without a host, and with those that clients ask instead, it is Docker's.
std::string registry_of(const Reference& reference) {
  constexpr std::string_view docker = "docker.io";
  const bool is_docker = reference.host.empty() || reference.host.ends_with(".docker.io");
  return is_docker ? std::string(docker) : reference.host;
}

/// What a registry is asked for.
std::string repository_asked(const Reference& reference) {
  const bool official =
      registry_of(reference) == registry_of({}) && reference.repository.find('/') == std::string::npos;
  return official ? "library/" + reference.repository : reference.repository;
}

/// Does the mirror, or a client that is led to it, find the image under this name?
bool has_name(const Artifact& image, const Reference& reference) {
  const auto asked = repository_asked(reference);
  const auto with_host = host_component(registry_of(reference)) + "/" + asked;
  if (image.name == with_host) return true;
  const auto upstream = upstream_of(image.facts.value("ref", ""));
  if (!upstream) return image.name == asked;
  const auto host = host_component(registry_of(*upstream)) + "/";
  for (const auto& name : {host + image.name, host + upstream->repository}) {
    if (name == with_host || name == asked) return true;
  }
  // A name that was given says nothing of the registry that is meant.
  return image.name == asked && image.name != upstream->repository;
}

}  // namespace

std::vector<Reference> images_named_in(std::string_view yaml) {
  std::vector<Reference> out;
  for (const auto line : split(yaml, '\n')) {
    for (const auto value : values_of(line)) {
      if (value.find("{{") != std::string_view::npos || value.find('$') != std::string_view::npos) continue;
      try {
        const auto reference = parse_reference(value);
        if (std::find(out.begin(), out.end(), reference) == out.end()) out.push_back(reference);
      } catch (const Error&) {
        continue;  // another kind of image: a picture, a path
      }
      if (out.size() == k_most_images) return out;
    }
  }
  return out;
}

bool is_asked_for(const Artifact& image, const Reference& reference) {
  if (!has_name(image, reference)) return false;
  if (!reference.digest) return image.version == reference.version();
  const auto manifest = image.facts.find("manifest");
  return manifest != image.facts.end() && manifest->is_object() &&
         manifest->value("digest", "") == reference.digest->text();
}

}  // namespace liftlock::oci
