#include "ecosystem/apt/index_inspector.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/apt/deb822.hpp"
#include "os/file.hpp"

namespace liftlock::apt {
namespace {

constexpr std::array<std::string_view, 1> k_kinds = {k_index_kind};
constexpr std::uint64_t k_max_release = 32u << 20;

bool is_release(const ArtifactFile& file) {
  return file.path.filename() == "InRelease";
}

/// The text of a clear-signed document (RFC 9580, 7.1), its dash escapes undone.
std::string signed_text(std::string_view document) {
  constexpr std::string_view begin = "-----BEGIN PGP SIGNED MESSAGE-----\n", end = "\n-----BEGIN PGP SIGNATURE-----\n";
  const auto headers = document.find("\n\n");
  const auto signature = document.find(end);
  if (!document.starts_with(begin) || headers == std::string_view::npos || signature == std::string_view::npos ||
      signature < headers) {
    fail(ErrorCode::package_malformed, "the InRelease is no clear-signed document");
  }
  std::string out;
  for (auto line : split(document.substr(headers + 2, signature - headers - 2), '\n')) {
    if (line.starts_with("- ")) line.remove_prefix(2);
    out += line;
    out += '\n';
  }
  return out;
}

/// What the Release states for this path: "DIGEST SIZE PATH" among the lines of its SHA256 field.
bool states(const Paragraph& release, std::string_view path, const ArtifactFile& index) {
  const auto stated = words(release.field_or("SHA256", ""));
  for (std::size_t i = 0; i + 2 < stated.size(); i += 3) {
    if (stated[i + 2] == path) return stated[i] == index.digest.hex() && parse_uint(stated[i + 1]) == index.size;
  }
  return false;
}

}  // namespace

std::span<const std::string_view> IndexInspector::kinds() const {
  return k_kinds;
}

bool IndexInspector::reads(const Artifact& artifact, std::size_t index) const {
  return is_release(artifact.files[index]);
}

Inspection IndexInspector::inspect(const Artifact& artifact, std::span<const int> files) const {
  const auto at = std::find_if(artifact.files.begin(), artifact.files.end(), is_release);
  if (artifact.files.size() != 2 || at == artifact.files.end()) {
    fail(ErrorCode::package_malformed, "{} must hold an InRelease and one index", printable(artifact.id()));
  }
  const auto place = static_cast<std::size_t>(at - artifact.files.begin());
  const auto& index = artifact.files[1 - place];
  const auto text = signed_text(read_all(files[place], k_max_release, at->path.text()));
  ParagraphReader reader(text, "the InRelease", Comments::refuse, {.max_paragraph = k_max_release});
  Paragraph release;
  reader.next(release);

  Inspection out;
  const auto path = string_member(artifact.facts, "index", artifact.id());
  if (!states(release, path, index)) {
    out.findings.push_back({ErrorCode::package_malformed, index.path.text(),
                            fmt::format("the InRelease beside it states something else for {}", printable(path))});
  }
  for (const auto& [field, fact] : {std::pair{"Suite", "suite"}, std::pair{"Codename", "codename"},
                                    std::pair{"Date", "date"}, std::pair{"Valid-Until", "valid_until"}}) {
    if (const auto value = release.field(field)) out.facts[fact] = printable(*value);
  }
  return out;
}

}  // namespace liftlock::apt
