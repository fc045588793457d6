#include "bundle/guarded_bundle.hpp"

#include <fcntl.h>

#include <map>
#include <memory>
#include <string_view>

#include "base/error.hpp"
#include "bundle/bundle_reader.hpp"
#include "crypto/hash.hpp"

namespace liftlock {

std::vector<GuardedFile> files_of_bundle(const fs::path& folder) {
  BundleReader bundle(folder);
  bundle.load_lists();
  std::map<std::string_view, Digest> digests;
  if (bundle.info().form == ContentForm::tree) {
    for (const auto& file : bundle.files()) digests.emplace(file.path.text(), file.digest);
  }
  for (const auto& [path, bound] : bundle.info().lists) digests.emplace(path.text(), bound.digest);
  const auto root = std::make_shared<UniqueFd>(open_folder(folder));
  std::vector<GuardedFile> files;
  for (const auto& entry : walk(folder, 2 * bundle_limits::k_files)) {
    const auto path = RelPath::parse(entry.path);
    GuardedFile file{.path = folder_name(folder) + "/" + path.text(),
                     .size = static_cast<std::uint64_t>(entry.status.st_size)};
    file.open = [root, path] {
      auto fd = open_beneath(root->get(), path, O_RDONLY);
      if (!fd) fail(ErrorCode::missing_file, "'{}' is gone", path.text());
      return std::move(*fd);
    };
    const auto listed = digests.find(path.text());
    file.digest = listed != digests.end() ? listed->second : sha256_of_file(file.open().get(), path.text());
    files.push_back(std::move(file));
  }
  return files;
}

}  // namespace liftlock
