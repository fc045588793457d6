// The parts of a path in an engine package: "usr/lib/libllama.so.1".
#pragma once

#include <string_view>

namespace liftlock::engine {

/// "usr/lib"; empty for what lies at the top. A view into `path`.
inline std::string_view folder_of_path(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

/// "libllama.so.1". A view into `path`.
inline std::string_view name_of_path(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

/// Is that the name of a library, as linkers and the loader look for one?
inline bool is_library(std::string_view name) {
  return name.starts_with("lib") && (name.ends_with(".so") || name.find(".so.") != std::string_view::npos);
}

}  // namespace liftlock::engine
