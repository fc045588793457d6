#include "ecosystem/local_files.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <system_error>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/portable_names.hpp"
#include "base/text.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_files = 100'000;

bool is_hex(std::string_view text, std::size_t size) {
  return text.size() == size && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// The `models--X` folder that a snapshot folder belongs to.
std::optional<fs::path> cache_of_snapshot(const fs::path& folder) {
  const auto snapshots = folder.parent_path();
  const auto cache = snapshots.parent_path();
  const auto name = cache.filename().string();
  if (snapshots.filename() != "snapshots" || !name.starts_with("models--")) return std::nullopt;
  return cache;
}

/// Follows a link of a snapshot into blobs/, or refuses it.
LocalFile follow_link(const fs::path& folder, const std::string& path) {
  const auto link = folder / path;
  const auto cache = cache_of_snapshot(folder);
  const auto target = (link.parent_path() / fs::read_symlink(link)).lexically_normal();
  const auto blob = target.filename().string();
  const bool known = cache && target == *cache / "blobs" / blob && (is_hex(blob, 40) || is_hex(blob, 64));
  if (!known || !fs::is_regular_file(fs::symlink_status(target))) {
    throw Error(
        ErrorCode::not_regular, fmt::format("'{}' is a link", printable(link.string())),
        "links are followed only inside a Hugging Face cache (models--X/snapshots/REV); copy the file in its place");
  }
  LocalFile file{path, target, std::nullopt};
  if (is_hex(blob, 64)) file.named = Digest::parse_sha256_hex(blob);
  return file;
}

fs::path snapshot_of_cache(const fs::path& cache) {
  const auto main = cache / "refs" / "main";
  if (!fs::exists(status_of(main))) {
    throw Error(ErrorCode::stack_invalid,
                fmt::format("'{}' is a Hugging Face cache without refs/main", printable(cache.string())),
                "name one of its snapshots/ folders");
  }
  const auto commit = std::string(trim(read_file(main, 4096)));
  if (!is_hex(commit, 40)) fail(ErrorCode::stack_invalid, "'{}' does not hold a commit", printable(main.string()));
  return cache / "snapshots" / commit;
}

/// Folders that look like models and are not.
void refuse_stores(const fs::path& folder) {
  if (fs::is_directory(status_of(folder / "manifests")) && fs::is_directory(status_of(folder / "blobs"))) {
    throw Error(ErrorCode::stack_invalid,
                fmt::format("'{}' is the store of Ollama, not a model", printable(folder.string())),
                "write source = \"ollama:NAME:TAG\", as `ollama list` shows it, and store = \"this folder\"");
  }
  std::error_code error;
  fs::directory_iterator children(folder, error);
  for (const auto end = fs::directory_iterator(); !error && children != end; children.increment(error)) {
    const auto name = children->path().filename().string();
    if (name.starts_with("models--") && fs::is_directory(status_of(children->path()))) {
      throw Error(ErrorCode::stack_invalid,
                  fmt::format("'{}' is a cache of several repositories", printable(folder.string())),
                  fmt::format("name one of its folders, such as {}", printable(name)));
    }
  }
  if (error) fail_errno(fmt::format("read the folder {}", printable(folder.string())), error.value());
}

[[noreturn]] void refuse_special(const fs::path& at, fs::file_type type) {
  const auto* what = type == fs::file_type::fifo                                        ? "a pipe"
                     : type == fs::file_type::socket                                    ? "a socket"
                     : type == fs::file_type::character || type == fs::file_type::block ? "a device"
                                                                                        : "no regular file";
  throw Error(ErrorCode::not_regular, fmt::format("'{}' is {}", printable(at.string()), what),
              "a bundle carries files, whose bytes can be read twice: write what comes out of it into a file, or take "
              "it out of the folder");
}

bool is_hidden(std::string_view path) {
  return path.starts_with('.') || path.find("/.") != std::string_view::npos;
}

bool matches_path(const std::string& pattern, std::string_view path) {
  if (matches_glob(pattern, path)) return true;
  return pattern.find('/') == std::string::npos && matches_glob(pattern, path.substr(path.rfind('/') + 1));
}

/// As in a shell, "*" alone does not stand for a name that begins with a dot.
bool takes_hidden(std::string_view path, std::span<const std::string> include) {
  return std::any_of(include.begin(), include.end(),
                     [&](const auto& pattern) { return is_hidden(pattern) && matches_path(pattern, path); });
}

/// The folder itself, or the snapshot that it stands for.
fs::path folder_of(const fs::path& source) {
  auto folder = real_path(source);
  const bool cache =
      folder.filename().string().starts_with("models--") && fs::is_directory(status_of(folder / "snapshots"));
  return cache ? snapshot_of_cache(folder) : folder;
}

}  // namespace

fs::file_status status_of(const fs::path& at) {
  std::error_code error;
  const auto status = fs::status(at, error);
  if (status.type() == fs::file_type::none) fail_errno(printable(at.string()), error.value());
  return status;
}

fs::path real_path(const fs::path& at) {
  std::error_code error;
  auto real = fs::canonical(at, error);
  if (error) fail_errno(printable(at.string()), error.value());
  return real;
}

fs::path stack_path(std::string_view text, const fs::path& stack_folder) {
  const char* home = std::getenv("HOME");
  if (text.starts_with("~/") && home != nullptr) return fs::path(home) / text.substr(2);
  return stack_folder / text;
}

fs::path gone_place(const fs::path& path) {
  auto gone = fs::absolute(path);
  std::error_code error;
  while (gone.has_relative_path() && fs::status(gone.parent_path(), error).type() == fs::file_type::not_found)
    gone = gone.parent_path();
  return gone;
}

std::optional<std::string> link_note(std::string_view source, const fs::path& stack_folder) {
  std::error_code error;
  // By which links the stack itself is reached is no news.
  const auto folder = fs::canonical(stack_folder.empty() ? fs::path(".") : stack_folder, error);
  if (error) return std::nullopt;
  auto named = stack_path(source, folder).lexically_normal();
  if (!named.has_filename()) named = named.parent_path();
  const auto real = fs::canonical(stack_path(source, folder), error);
  if (error || real == named) return std::nullopt;
  return fmt::format("'{}' leads by a link to '{}'", printable(source), printable(real.string()));
}

bool source_is_gone(const StackEntry& entry, const fs::path& stack_folder) {
  std::error_code error;
  const auto source = stack_path(entry.text("source"), stack_folder);
  return fs::status(source, error).type() == fs::file_type::not_found;
}

std::vector<LocalFile> list_local_files(const fs::path& source, std::span<const std::string> include) {
  const auto what = status_of(source);
  if (!fs::exists(what)) {
    throw Error(ErrorCode::not_found, fmt::format("'{}' does not exist", printable(source.string())), "check the path");
  }
  if (!fs::is_directory(what)) {
    const auto at = real_path(source);
    if (!fs::is_regular_file(what)) refuse_special(source, what.type());
    return {{source.filename().string(), at, std::nullopt}};
  }
  const auto folder = folder_of(source);
  refuse_stores(folder);
  std::vector<LocalFile> files;
  bool hidden = false;
  for (const auto& entry : walk(folder, k_max_files)) {
    if (S_ISDIR(entry.status.st_mode)) continue;
    if (is_hidden(entry.path) && !takes_hidden(entry.path, include)) {
      hidden = true;
      continue;
    }
    if (S_ISLNK(entry.status.st_mode)) {
      files.push_back(follow_link(folder, entry.path));
    } else if (S_ISREG(entry.status.st_mode)) {
      files.push_back({entry.path, folder / entry.path, std::nullopt});
    } else {
      refuse_special(folder / entry.path, fs::symlink_status(folder / entry.path).type());
    }
  }
  if (files.empty() && hidden) {
    throw Error(ErrorCode::stack_invalid, fmt::format("'{}' holds hidden files only", printable(folder.string())),
                "`include` takes those that it names with their dot: include = [\".env\", \".conf/**\"]");
  }
  if (files.empty()) fail(ErrorCode::stack_invalid, "'{}' holds no files", printable(folder.string()));
  return files;
}

std::vector<std::string> hidden_left_out(const fs::path& source, std::span<const std::string> include,
                                         std::span<const std::string> exclude) {
  std::vector<std::string> out;
  if (!fs::is_directory(status_of(source))) return out;
  for (const auto& entry : walk(folder_of(source), k_max_files)) {
    if (S_ISDIR(entry.status.st_mode) || !is_hidden(entry.path) || takes_hidden(entry.path, include)) continue;
    if (is_selected(entry.path, include, exclude)) out.push_back(entry.path);
  }
  return out;
}

void require_portable(std::span<const LocalFile> files, std::string_view where) {
  std::vector<std::string> paths;
  for (const auto& file : files) paths.push_back(file.path);
  require_portable(paths, where, "rename them, leave them out with `exclude`, or carry the folder as one tar or zip");
}

bool is_selected(std::string_view path, std::span<const std::string> include, std::span<const std::string> exclude) {
  const auto matches = [&](const std::string& pattern) { return matches_path(pattern, path); };
  if (std::any_of(exclude.begin(), exclude.end(), matches)) return false;
  return include.empty() || std::any_of(include.begin(), include.end(), matches);
}

std::string origin_below(const std::string& source, std::string_view path) {
  return fmt::format("{}{}{}", source, source.ends_with('/') ? "" : "/", path);
}

std::vector<std::string> selected_origins(const StackEntry& entry, const fs::path& stack_folder) {
  const auto source = entry.text("source");
  const auto at = stack_path(source, stack_folder);
  if (!fs::is_directory(status_of(at))) return {source};
  const auto include = entry.texts("include"), exclude = entry.texts("exclude");
  std::vector<std::string> out;
  for (const auto& file : list_local_files(at, include)) {
    if (is_selected(file.path, include, exclude)) out.push_back(origin_below(source, file.path));
  }
  return out;
}

}  // namespace liftlock
