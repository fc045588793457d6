#include "intake/tree.hpp"

#include <fcntl.h>

#include <algorithm>
#include <set>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/portable_names.hpp"
#include "base/text.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_files = 200'000;
constexpr std::size_t k_max_remarks = 50;

bool is_hidden(std::string_view path) {
  return path.starts_with('.') || path.find("/.") != std::string_view::npos;
}

}  // namespace

void Tree::add(std::string path, File file) {
  m_files.emplace(std::move(path), std::move(file));
}

void Tree::add_hidden(std::string path, File file) {
  if (RelPath::try_parse(path)) {
    m_hidden.emplace(std::move(path), std::move(file));
  } else {
    m_passed_over.push_back(std::move(path));
  }
}

void Tree::leave(const std::string& path, std::string_view why) {
  if (m_left_out.size() < k_max_remarks) m_left_out.push_back(fmt::format("{} is left out: {}", printable(path), why));
}

void Tree::finish() {
  std::sort(m_passed_over.begin(), m_passed_over.end());
  for (const auto& [path, file] : m_files) m_paths.push_back(path);
  require_portable(
      m_paths, fmt::format("'{}'", printable(m_name)),
      "import a copy in which they are called otherwise, or the whole as a file of a stack: one tar or zip");
  std::set<std::string> folded;
  for (const auto& path : m_paths) {
    if (!folded.insert(RelPath::parse(path).case_folded()).second)
      fail(ErrorCode::path_collision, "'{}' has '{}' twice, when case is ignored", printable(m_name), printable(path));
  }
}

std::shared_ptr<const Tree> Tree::of_folder(const fs::path& folder) {
  auto tree = std::make_shared<Tree>();
  const auto root = fs::canonical(folder);
  tree->m_name = root.filename().string();
  tree->m_folder = std::make_shared<const UniqueFd>(open_folder(root));
  for (const auto& entry : walk(root, k_max_files)) {
    if (S_ISDIR(entry.status.st_mode)) continue;
    const bool regular = S_ISREG(entry.status.st_mode);
    File file{.at = entry.path,
              .offset = 0,
              .size = static_cast<std::uint64_t>(entry.status.st_size),
              .executable = (entry.status.st_mode & S_IXUSR) != 0};
    if (is_hidden(entry.path)) {
      tree->leave(entry.path, "it is hidden");
      if (regular) tree->add_hidden(entry.path, std::move(file));
      if (!regular) tree->m_passed_over.push_back(entry.path);
      continue;
    }
    if (regular) {
      tree->add(entry.path, std::move(file));
      continue;
    }
    if (!S_ISLNK(entry.status.st_mode))
      fail(ErrorCode::not_regular, "'{}' is no regular file", printable((root / entry.path).string()));
    std::error_code error;
    const auto target = fs::canonical(root / entry.path, error);
    const auto at = error ? fs::path() : target.lexically_relative(root);
    if (error || at.empty() || *at.begin() == "..") {
      fail(ErrorCode::not_regular, "the link '{}' leads to nothing in the folder",
           printable((root / entry.path).string()));
    }
    if (!fs::is_regular_file(target)) {
      tree->leave(entry.path, "the link means a folder");
      tree->m_passed_over.push_back(entry.path);
      continue;
    }
    tree->add(entry.path, {.at = at.string(), .offset = 0, .size = fs::file_size(target), .link = true});
  }
  tree->finish();
  return tree;
}

std::shared_ptr<const Tree> Tree::of_members(std::shared_ptr<const UniqueFd> file,
                                             const std::vector<ContainerMember>& members, std::string name) {
  auto tree = std::make_shared<Tree>();
  tree->m_name = std::move(name);
  tree->m_container = std::move(file);
  for (const auto& member : members) {
    File one{.at = member.meant.empty() ? member.name : member.meant,
             .offset = member.offset,
             .size = member.size,
             .link = !member.meant.empty(),
             .executable = member.executable};
    if (is_hidden(member.name)) {
      tree->leave(member.name, "it is hidden");
      tree->add_hidden(member.name, std::move(one));
      continue;
    }
    tree->add(member.name, std::move(one));
  }
  tree->finish();
  return tree;
}

const Tree::File& Tree::file(std::string_view path) const {
  const auto found = m_files.find(path);
  if (found == m_files.end()) fail(ErrorCode::not_found, "'{}' has no '{}'", printable(m_name), printable(path));
  return found->second;
}

bool Tree::has(std::string_view path) const {
  return m_files.contains(path);
}

std::uint64_t Tree::size(std::string_view path) const {
  return file(path).size;
}

const std::string& Tree::place(std::string_view path) const {
  const auto found = m_files.find(path);
  if (found == m_files.end()) fail(ErrorCode::not_found, "'{}' has no '{}'", printable(m_name), printable(path));
  return found->second.at;
}

bool Tree::is_link(std::string_view path) const {
  return file(path).link;
}

bool Tree::is_executable(std::string_view path) const {
  return file(path).executable;
}

std::vector<std::string> Tree::hidden() const {
  std::vector<std::string> out;
  for (const auto& [path, file] : m_hidden) out.push_back(path);
  return out;
}

TreeBytes Tree::open(std::string_view path) const {
  const auto& found = file(path);
  if (found.alone) return {.fd = found.alone->get(), .offset = 0, .size = found.size};
  if (m_container) return {.fd = m_container->get(), .offset = found.offset, .size = found.size};
  auto opened = open_beneath(m_folder->get(), RelPath::parse(found.at), O_RDONLY | O_NONBLOCK);
  if (!opened) fail(ErrorCode::not_found, "'{}' is gone", printable(path));
  if (const auto size = regular_size(opened->get(), path); size != found.size)
    fail(ErrorCode::size_mismatch, "'{}' changed while it was imported", printable(path));
  const int fd = opened->get();
  return {.fd = fd, .offset = 0, .size = found.size, .owned = std::move(*opened)};
}

std::string Tree::head(std::string_view path, std::size_t bytes) const {
  const auto range = open(path);
  std::string out(std::min<std::uint64_t>(bytes, range.size), '\0');
  if (!pread_exact(range.fd, {reinterpret_cast<std::uint8_t*>(out.data()), out.size()}, range.offset, path))
    fail(ErrorCode::size_mismatch, "'{}' ends early", printable(path));
  return out;
}

std::string Tree::read(std::string_view path, std::uint64_t max_bytes) const {
  const auto size = file(path).size;
  if (size > max_bytes)
    fail(ErrorCode::limit_exceeded, "'{}' has {}; at most {} are read", printable(path), format_size(size),
         format_size(max_bytes));
  return head(path, static_cast<std::size_t>(size));
}

std::uint64_t Tree::total_size() const {
  std::uint64_t sum = 0;
  for (const auto& [path, file] : m_files) sum += file.size;
  return sum;
}

std::shared_ptr<const Tree> Tree::below(std::string_view folder) const {
  auto tree = std::make_shared<Tree>();
  tree->m_name = m_name + "/" + std::string(folder);
  tree->m_folder = m_folder;
  tree->m_container = m_container;
  const auto prefix = std::string(folder) + "/";
  for (const auto& [from, to] : {std::pair(&m_files, &tree->m_files), std::pair(&m_hidden, &tree->m_hidden)}) {
    for (auto at = from->lower_bound(prefix); at != from->end() && at->first.starts_with(prefix); ++at)
      to->emplace(at->first.substr(prefix.size()), at->second);
  }
  for (const auto& path : m_passed_over) {
    if (path.starts_with(prefix)) tree->m_passed_over.push_back(path.substr(prefix.size()));
  }
  tree->finish();
  return tree;
}

std::shared_ptr<Tree> Tree::copy() const {
  auto tree = std::make_shared<Tree>(*this);
  tree->m_paths.clear();
  return tree;
}

std::shared_ptr<const Tree> Tree::with_hidden(const std::function<bool(std::string_view path)>& which) const {
  auto tree = copy();
  for (const auto& [path, file] : m_hidden) {
    if (which(path)) tree->m_files.insert(tree->m_hidden.extract(path));
  }
  tree->finish();
  return tree;
}

std::shared_ptr<const Tree> Tree::with_file(const std::string& path, std::shared_ptr<const UniqueFd> file) const {
  auto tree = copy();
  if (m_files.contains(path)) fail(ErrorCode::path_collision, "'{}' is there twice", printable(path));
  const auto size = regular_size(file->get(), path);
  tree->add(path, {.at = path, .offset = 0, .size = size, .alone = std::move(file)});
  tree->finish();
  return tree;
}

std::string Tree::only_folder() const {
  std::string out;
  for (const auto& path : m_paths) {
    const auto slash = path.find('/');
    if (slash == std::string::npos) return {};
    if (out.empty()) out = path.substr(0, slash);
    if (path.compare(0, slash, out) != 0) return {};
  }
  return out;
}

}  // namespace liftlock
