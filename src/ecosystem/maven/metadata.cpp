#include "ecosystem/maven/metadata.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock::maven {
namespace {

constexpr std::size_t k_max_versions = 100'000;

[[noreturn]] void refuse(std::string_view why) {
  fail(ErrorCode::schema_violation, "maven-metadata.xml: {}", why);
}

/// Where the text of the one element of that name begins and ends; nullopt when there is none.
struct Span {
  std::size_t begin, end;
};
std::optional<Span> find_one(std::string_view text, std::string_view name) {
  const auto open = fmt::format("<{}>", name), close = fmt::format("</{}>", name);
  const auto begin = text.find(open);
  if (begin == std::string_view::npos) return std::nullopt;
  const auto inside = begin + open.size();
  const auto end = text.find(close, inside);
  if (end == std::string_view::npos || text.find(open, inside) != std::string_view::npos ||
      text.find(close, end + 1) != std::string_view::npos) {
    refuse(fmt::format("it does not have <{}> once", name));
  }
  return Span{inside, end};
}

void require_plain(std::string_view text) {
  if (text.size() > k_max_metadata) fail(ErrorCode::limit_exceeded, "maven-metadata.xml is larger than 16 MiB");
  if (text.find("<metadata") == std::string_view::npos || !trim(text).ends_with("</metadata>"))
    refuse("it is no metadata");
  for (const auto* odd : {"<!", "CDATA"}) {
    if (text.find(odd) != std::string_view::npos) refuse("comments and declarations are not read");
  }
}

Span versions_span(std::string_view text) {
  require_plain(text);
  const auto found = find_one(text, "versions");
  if (!found) refuse("it lists no versions");
  return *found;
}

}  // namespace

std::vector<std::string> versions_of(std::string_view metadata) {
  const auto span = versions_span(metadata);
  auto rest = metadata.substr(span.begin, span.end - span.begin);
  constexpr std::string_view k_open = "<version>", k_close = "</version>";
  std::vector<std::string> out;
  for (rest = trim(rest); !rest.empty(); rest = trim(rest)) {
    const auto end = rest.find(k_close);
    if (!rest.starts_with(k_open) || end == std::string_view::npos) refuse("something else stands among its versions");
    const auto version = trim(rest.substr(k_open.size(), end - k_open.size()));
    if (version.empty() || version.find_first_of("<&") != std::string_view::npos) refuse("a version is malformed");
    if (out.size() >= k_max_versions) fail(ErrorCode::limit_exceeded, "maven-metadata.xml lists too many versions");
    out.emplace_back(version);
    rest.remove_prefix(end + k_close.size());
  }
  return out;
}

std::optional<std::string> with_version(std::string_view metadata, std::string_view version, std::string_view when) {
  const auto listed = versions_of(metadata);
  if (std::find(listed.begin(), listed.end(), version) != listed.end()) return std::nullopt;
  const auto span = versions_span(metadata);
  auto keep = metadata.substr(0, span.end);
  const auto tail = keep.find_last_not_of(" \t\r\n");
  keep = keep.substr(0, tail + 1);
  auto out = fmt::format("{}\n      <version>{}</version>\n    {}", keep, version, metadata.substr(span.end));
  if (const auto updated = find_one(out, "lastUpdated"))
    out.replace(updated->begin, updated->end - updated->begin, when);
  return out;
}

}  // namespace liftlock::maven
