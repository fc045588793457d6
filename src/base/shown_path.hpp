// What may be shown and kept of a request's path.
#pragma once

#include <string>
#include <string_view>

namespace liftlock {

/// Without the credentials that a git client sends in a path: where its addresses are led to a mirror
/// (docs/formats/git.md), "https://USER:TOKEN@HOST/…" is asked for as "/git/-/USER:TOKEN@HOST/…", or with its scheme;
/// behind the path of the mirror's own address, if it has one.
std::string shown_path(std::string_view path);

}  // namespace liftlock
