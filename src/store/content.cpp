#include "store/content.hpp"

#include <algorithm>
#include <vector>

#include "crypto/sha256sums.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_min_prefix = 4;

}  // namespace

Digest content_digest(const Artifact& artifact) {
  if (artifact.files.size() == 1) return artifact.files.front().digest;
  std::vector<ListedDigest> listed;
  for (const auto& file : artifact.files) listed.push_back({file.path.text(), file.digest});
  return directory_hash(listed);
}

std::string short_content_digest(const Artifact& artifact) {
  constexpr std::size_t k_shown = 12;  // hexadecimal digits
  return "sha256:" + content_digest(artifact).hex().substr(0, k_shown);
}

std::optional<NamedContent> parse_named_content(std::string_view text) {
  const auto at = text.rfind(k_content_mark);
  if (at == std::string_view::npos || at == 0) return std::nullopt;
  const auto prefix = text.substr(at + k_content_mark.size());
  if (prefix.size() < k_min_prefix || prefix.size() > 64) return std::nullopt;
  if (prefix.find_first_not_of("0123456789abcdef") != std::string_view::npos) return std::nullopt;
  return NamedContent{text.substr(0, at), prefix};
}

std::string content_name(const Artifact& artifact) {
  return artifact.id() + "@" + short_content_digest(artifact);
}

std::vector<Artifact> with_digest(std::vector<Artifact> artifacts, std::string_view prefix) {
  const auto by_content = [&](const Artifact& one) { return content_digest(one).hex().starts_with(prefix); };
  const auto by_file = [&](const Artifact& one) {
    return std::any_of(one.files.begin(), one.files.end(),
                       [&](const ArtifactFile& file) { return file.digest.hex().starts_with(prefix); });
  };
  if (std::any_of(artifacts.begin(), artifacts.end(), by_content)) {
    std::erase_if(artifacts, [&](const Artifact& one) { return !by_content(one); });
  } else {
    std::erase_if(artifacts, [&](const Artifact& one) { return !by_file(one); });
  }
  return artifacts;
}

}  // namespace liftlock
