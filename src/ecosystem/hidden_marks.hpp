// What the names of files in an image tell of hidden downloads: which packages that download something lie in it, and
// which of what they would download. Only names of the table are kept, so that it is little, whatever the image is.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "base/json.hpp"

namespace liftlock {

class HiddenMarks {
 public:
  /// One name of a layer: "usr/lib/python3.12/site-packages/tiktoken-0.14.0.dist-info/METADATA". Any bytes.
  void look_at(std::string_view path);
  /// The layer above: what it removes is gone (image-spec, whiteouts), what it has is added.
  void stack(const HiddenMarks& above);
  /// Another platform of the same image.
  void join(const HiddenMarks& other);

  bool empty() const { return packages.empty() && content.empty() && removed.empty(); }
  Json json() const;
  /// @throws Error{schema_violation}
  static HiddenMarks parse(const Json& json);

  std::set<std::string> packages;  ///< of the table, normalised: "open-webui"
  std::set<std::string> content;   ///< words of the table that stand in a path: "all-MiniLM-L6-v2"
  std::set<std::string> removed;   ///< packages that the layer takes away from those below
};

/// The member of an image's inspection, and of a layer's.
inline constexpr std::string_view k_hidden_marks = "hidden_downloads";

}  // namespace liftlock
