#include "store/references.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <unordered_set>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "os/leftovers.hpp"

namespace liftlock {
namespace {

constexpr std::uint64_t k_max_list = 1u << 30;
constexpr std::string_view k_suffix = ".list";

std::int64_t nanoseconds(const struct timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

bool is_what_it_was(const Reference& reference) {
  struct stat status {};
  return ::lstat(reference.file.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         identity_of(status) == reference.identity;
}

std::string line_of(const Reference& reference) {
  const auto& is = reference.identity;
  return fmt::format("{} {} {} {} {} {} {}\n", reference.digest.hex(), is.device, is.inode, is.size, is.modified,
                     is.changed, reference.file.native());
}

template <typename Number>
bool take_number(std::string_view& text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end == text.data() + text.size() || *end != ' ') return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  return true;
}

std::optional<Reference> parse_line(std::string_view line) {
  if (line.size() < 65 || line[64] != ' ') return std::nullopt;
  const auto digest = Digest::try_parse("sha256:" + std::string(line.substr(0, 64)));
  line.remove_prefix(65);
  FileIdentity is;
  if (!digest || !take_number(line, is.device) || !take_number(line, is.inode) || !take_number(line, is.size) ||
      !take_number(line, is.modified) || !take_number(line, is.changed) || !line.starts_with('/')) {
    return std::nullopt;
  }
  return Reference{*digest, line, is};
}

std::vector<Reference> read_list(const fs::path& file) {
  std::vector<Reference> out;
  const auto fd = open_file_if_exists(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!fd) return out;
  const auto text = read_all(fd->get(), k_max_list, file.string());
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = text.find('\n', begin);
    auto reference =
        end == std::string::npos ? std::nullopt : parse_line(std::string_view(text).substr(begin, end - begin));
    if (!reference) {
      throw Error(ErrorCode::store_invalid, fmt::format("'{}' is damaged", printable(file.string())),
                  "remove that file and run `liftlock fetch`: it only says where local files lie");
    }
    out.push_back(std::move(*reference));
    begin = end + 1;
  }
  return out;
}

/// The lists of a folder, by name; none where there is no such folder.
std::vector<fs::path> lists_in(const fs::path& folder) {
  std::vector<fs::path> out;
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  if (error == std::errc::no_such_file_or_directory) return out;
  for (const auto end = fs::directory_iterator(); !error && entries != end; entries.increment(error)) {
    const auto name = entries->path().filename().string();
    if (name.ends_with(k_suffix) && !name.starts_with('.')) out.push_back(entries->path());
  }
  if (error) fail_errno(fmt::format("read the folder {}", printable(folder.string())), error.value());
  std::sort(out.begin(), out.end());
  return out;
}

/// Copies, so that nobody is held up while the disk is asked for them.
std::vector<Reference> found_in(const std::unordered_multimap<Digest, Reference>& known, const Digest& digest) {
  std::vector<Reference> out;
  const auto [begin, end] = known.equal_range(digest);
  for (auto it = begin; it != end; ++it) out.push_back(it->second);
  return out;
}

/// Is nothing there any more, or a link or a socket in the file's place?
bool means_gone(int error) {
  return error == ENOENT || error == ENOTDIR || error == ELOOP || error == ENXIO;
}

}  // namespace

void fail_changed(const Reference& reference) {
  throw Error(ErrorCode::upstream_changed,
              fmt::format("'{}' changed or is gone since it was locked, and the store keeps no copy of it",
                          printable(reference.file.string())),
              "put it back, or lock what is there now: `liftlock lock --update` with the name of its entry, or "
              "--update-all; with --copy, lock and fetch keep copies");
}

FileIdentity identity_of(const struct stat& status) {
  return {.device = status.st_dev,
          .inode = status.st_ino,
          .size = static_cast<std::uint64_t>(status.st_size),
          .modified = nanoseconds(status.st_mtim),
          .changed = nanoseconds(status.st_ctim)};
}

fs::path References::path_of(std::string_view list) const {
  return m_folder / (std::string(list) + std::string(k_suffix));
}

/// Called with the lock held.
void References::load() const {
  if (m_loaded) return;
  for (const auto& list : lists_in(m_folder)) {
    for (auto& reference : read_list(list)) {
      auto digest = reference.digest;
      m_known.emplace(std::move(digest), std::move(reference));
    }
  }
  m_loaded = true;
}

std::optional<Reference> References::live(const Digest& digest) const {
  const auto candidates = [&] {
    const std::lock_guard lock(m_mutex);
    load();
    return found_in(m_known, digest);
  };
  for (auto& reference : candidates()) {
    if (is_what_it_was(reference)) return std::move(reference);
  }
  return std::nullopt;
}

std::optional<Reference> References::any(const Digest& digest) const {
  const std::lock_guard lock(m_mutex);
  load();
  const auto [begin, end] = m_known.equal_range(digest);
  if (begin == end) return std::nullopt;
  const auto good = std::find_if(begin, end, [](const auto& one) { return is_what_it_was(one.second); });
  return (good == end ? begin : good)->second;
}

std::optional<UniqueFd> References::open(const Digest& digest) const {
  std::vector<Reference> candidates;
  {
    const std::lock_guard lock(m_mutex);
    load();
    candidates = found_in(m_known, digest);
  }
  if (candidates.empty()) return std::nullopt;
  const Reference* refused = nullptr;
  int why = 0;
  for (const auto& reference : candidates) {
    UniqueFd fd(::open(reference.file.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!fd.valid()) {
      if (means_gone(errno)) continue;
      why = errno;
      refused = &reference;
      continue;
    }
    const auto status = stat_of(fd.get(), reference.file.string());
    if (S_ISREG(status.st_mode) && identity_of(status) == reference.identity) return fd;
  }
  if (refused != nullptr) fail_errno(fmt::format("open {}", printable(refused->file.string())), why);
  fail_changed(candidates.front());
}

void References::add(std::string_view list, const std::vector<Reference>& references) {
  make_folders(m_folder);
  const auto file = path_of(list);
  const auto old = read_list(file);
  std::vector<const Reference*> kept;
  std::unordered_set<Digest> known;
  for (const auto& reference : references) {
    if (known.insert(reference.digest).second) kept.push_back(&reference);
  }
  for (const auto& reference : old) {
    if (!known.contains(reference.digest) && is_what_it_was(reference)) kept.push_back(&reference);
  }
  std::sort(kept.begin(), kept.end(), [](const auto* a, const auto* b) { return a->digest < b->digest; });
  std::string text;
  for (const auto* reference : kept) {
    if (reference->file.native().find('\n') != std::string::npos || !reference->file.native().starts_with('/'))
      fail(ErrorCode::internal, "'{}' cannot be referred to", printable(reference->file.string()));
    text += line_of(*reference);
  }
  remove_leftovers(file);
  write_file_atomically(file, text);
  const std::lock_guard lock(m_mutex);
  if (!m_loaded) return;
  for (const auto& reference : references) m_known.emplace(reference.digest, reference);
}

std::vector<References::List> References::lists() const {
  std::vector<List> out;
  for (const auto& file : lists_in(m_folder)) {
    const auto fd = open_file_if_exists(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!fd) continue;
    List list{.name = file.stem().string(),
              .touched = Timestamp(std::chrono::seconds(stat_of(fd->get(), file.string()).st_mtime)),
              .digests = {}};
    for (const auto& reference : read_list(file)) list.digests.push_back(reference.digest);
    out.push_back(std::move(list));
  }
  return out;
}

void References::remove(std::string_view list) {
  if (::unlink(path_of(list).c_str()) != 0 && errno != ENOENT) fail_errno(fmt::format("remove the list {}", list));
  const std::lock_guard lock(m_mutex);
  m_known.clear();
  m_loaded = false;
}

}  // namespace liftlock
