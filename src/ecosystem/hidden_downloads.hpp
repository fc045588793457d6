// Packages that fetch something from a network when they are first used. It stands in no dependency list, so
// a stack that installs on the other side still fails there. One table, each line with its source.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/artifact.hpp"

namespace liftlock {

struct HiddenDownload {
  /// As the only word of `content`: it takes a model, and nothing tells which. A stack that brings one may bring the
  /// wrong one, so this is asked. An image that has one in a cache of the hub has its own.
  static constexpr std::string_view k_any_model = "model:";

  /// Of the artifact that downloads: "npm", "wheel"; an image that has a wheel installed downloads as well.
  std::string_view kind;
  std::string_view name;  ///< as the ecosystem normalises it
  std::string_view what;  ///< completes "it downloads …"
  /// The stack brings it in a wheel whose name begins with one of these (blank-separated) …
  std::string_view packages;
  /// … or in another artifact, when one of these is part of its id, or of the path or origin of one of its files; a
  /// word that begins with '.' or '/' is the end of such a path or origin.
  std::string_view content;
  std::string_view add;    ///< lines for liftlock.toml; what a person has to fill in stands in <…>
  std::string_view there;  ///< how the program finds it on the other side
  std::string_view
      source;  ///< where it was read: a file of the package and its version, else its issues or documentation
};

/// Is the word of `content` the end of a name? ".pth", "/modules.json".
bool is_ending(std::string_view word);

/// Sorted by kind and name.
std::span<const HiddenDownload> hidden_downloads();

struct HiddenNeed {
  const HiddenDownload* download;
  std::string needed_by;                  ///< the artifact's id
  bool in_image = false;                  ///< the package lies in that artifact, an image
  std::vector<std::string> perhaps = {};  ///< ids of models that the stack brings: it may be one of them
};

/// Those that something in the stack needs, and that nothing in it is known to bring. In the table's order: the first
/// package, then each image that has it and does not bring along what it wants.
/// @param inspection of an artifact (Catalog::inspection()); of images it says what lies in them
std::vector<HiddenNeed> hidden_needs(const std::vector<Artifact>& artifacts,
                                     const std::function<Json(const Artifact&)>& inspection);

/// The table of docs/hidden-downloads.md.
std::string hidden_downloads_markdown();

}  // namespace liftlock
