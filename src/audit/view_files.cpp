#include "audit/view_files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <set>
#include <system_error>
#include <vector>

#include "base/encoding.hpp"

namespace liftlock {
namespace {

/// Full tiles and bundles never change, and are renamed to their names once they are durable.
bool is_there(const std::pair<fs::path, std::string>& file) {
  std::error_code missing;
  return fs::file_size(file.first, missing) == file.second.size() && !missing;
}

}  // namespace

void publish_files(const fs::path& root, std::span<const std::pair<fs::path, std::string>> files,
                   std::atomic<bool>& failed) {
  constexpr std::size_t k_open_at_once = 128;
  static std::atomic<unsigned> counter{0};
  struct Written {
    UniqueFd fd;
    fs::path temporary, path;
  };
  std::set<fs::path> folders;
  while (!files.empty()) {
    std::vector<Written> batch;
    for (; !files.empty() && batch.size() < k_open_at_once; files = files.subspan(1)) {
      const auto& [path, content] = files.front();
      const auto parent = path.parent_path();
      if (folders.insert(parent).second) {
        std::error_code error;
        fs::create_directories(parent, error);
        if (error) fail_errno(fmt::format("mkdir {}", printable(parent.string())), error.value());
      }
      if (path.filename() == "000") {  // the first one of its folder, whose own name may not be durable yet
        for (auto up = parent; up.native().size() > root.native().size();) folders.insert(up = up.parent_path());
      }
      if (is_there(files.front())) continue;  // its name may not be durable yet: the folder is synced all the same
      const auto name = fmt::format(".{}.{}.{}.new", path.filename().string(), ::getpid(), counter.fetch_add(1));
      batch.push_back({open_file(parent / name, O_WRONLY | O_CREAT | O_TRUNC, 0644), parent / name, path});
      write_all(batch.back().fd.get(), content, path.string());
    }
    sync_once(failed, [&] {
      for (const auto& one : batch) sync_file(one.fd.get(), one.path.string());
    });
    for (const auto& one : batch) rename_file(one.temporary, one.path);
  }
  sync_once(failed, [&] {
    for (const auto& folder : folders) sync_folder(folder);
  });
}

void write_view(const fs::path& path, std::string_view content) {
  const auto temporary = path.parent_path() / fmt::format(".{}.tmp", path.filename().string());
  const auto fd = open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  write_all(fd.get(), content, temporary.string());
  rename_file(temporary, path);
}

}  // namespace liftlock
