// Several contents may stand under one id: bundles brought them one after the other. How each of them is named.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/artifact.hpp"
#include "base/digest.hpp"

namespace liftlock {

/// The SHA-256 of its only file; of several files that of their list, as `sha256sum` prints it, sorted by line. Origin,
/// evidence and licence do not count.
Digest content_digest(const Artifact& artifact);

/// "sha256:0123456789ab": the beginning of it, as people are shown it.
std::string short_content_digest(const Artifact& artifact);

/// Stands between an id and the beginning of a content's digest.
inline constexpr std::string_view k_content_mark = "@sha256:";
/// "ID@sha256:PREFIX", split; nullopt for anything else. A prefix has 4 to 64 lower-case hexadecimal digits.
struct NamedContent {
  std::string_view id_or_name;
  std::string_view prefix;
};
std::optional<NamedContent> parse_named_content(std::string_view text);

/// "wheel:idna@3.4@sha256:0123456789ab": as commands take it.
std::string content_name(const Artifact& artifact);

/// Those whose content's digest begins so; if there are none, those of which a file's does.
std::vector<Artifact> with_digest(std::vector<Artifact> artifacts, std::string_view prefix);

}  // namespace liftlock
