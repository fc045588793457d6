// `show`, and the `show` of one kind of artifacts, which may know more of it.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "cli/commands.hpp"
#include "cli/store_view.hpp"

namespace liftlock {

struct ShowOptions {
  std::string name;
  bool all = false;  ///< of long lists
};

/// Adds to what --json prints, and gives the text that stands behind all else.
using ShowMore = std::function<std::string(const OpenStore& store, const Artifact& artifact, Json& json)>;

/// Prints everything known about one artifact. @param kind that it must have; empty: any
/// @throws Error{not_found}
void show_artifact(Invocation& invocation, const ShowOptions& options, std::string_view kind = {},
                   const ShowMore& more = {});

}  // namespace liftlock
