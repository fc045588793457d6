#include "os/leftovers.hpp"

#include <fmt/format.h>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "os/file.hpp"

namespace liftlock {

void remove_leftovers(const fs::path& path) {
  std::error_code error;
  const auto begin = fmt::format(".{}.", path.filename().string());
  fs::directory_iterator entries(path.parent_path(), error);
  for (const auto end = fs::directory_iterator(); !error && entries != end; entries.increment(error)) {
    const auto name = entries->path().filename().string();
    if (name.starts_with(begin) && name.ends_with(".tmp")) remove_tree(entries->path());
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    fail_errno(fmt::format("read {}", printable(path.parent_path().string())), error.value());
  }
}

}  // namespace liftlock
