#include "ecosystem/git/repository_copy.hpp"

#include <algorithm>
#include <vector>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/git/lfs_pointer.hpp"
#include "ecosystem/git/tolerated.hpp"

namespace liftlock::git {
namespace {

/// A pack up to here is made anew from its objects, so that it does not depend on how the upstream had packed them.
constexpr std::uint64_t k_max_repacked = 2ull << 30;
/// Refs whose trees are searched for submodules and for names of files; thousands of tags name the same ones.
constexpr std::size_t k_searched_refs = 20;
/// 40 digits and a line end; of 8 000 000 objects; and as many as are looked at in some 20 MB.
constexpr std::size_t k_id_line = 41, k_looked_at_once = 16'384;
constexpr std::uint64_t k_max_listed = 8'000'000 * k_id_line;
constexpr std::uint64_t k_max_lfs_config = 64u << 10;

void note_trouble(LfsWanted& out, ErrorCode code, std::string message) {
  if (out.trouble) return;
  const auto* hint = code == ErrorCode::limit_exceeded
                         ? "take fewer `refs`; `lfs = false` leaves the files of Git LFS out"
                         : "`lfs = false` leaves the files of Git LFS out";
  out.trouble = Error(code, std::move(message), hint);
}

void note_too_many(LfsWanted& out, std::size_t most, std::string_view what) {
  note_trouble(out, ErrorCode::limit_exceeded,
               fmt::format("the repository has more than {} {} of Git LFS", most, what));
}

/// Is its file among those that are known now?
bool add_pointer(const LfsPointer& pointer, LfsWanted& out) {
  ++out.pointers;
  if (pointer.size == 0) return false;
  const bool is_known = out.files.contains(pointer.oid);
  if (!is_known && out.files.size() == k_max_lfs_files) {
    note_too_many(out, k_max_lfs_files, "files");
    return false;
  }
  const auto size = out.files.emplace(pointer.oid, LfsFile{pointer.size, {}}).first->second.size;
  if (size != pointer.size) {
    note_trouble(out, ErrorCode::package_malformed,
                 fmt::format("two pointers of Git LFS name {}, one with {} bytes and one with {}", pointer.oid.text(),
                             size, pointer.size));
  }
  return true;
}

/// What `git cat-file --batch` writes: "ID blob SIZE\n", the blob, "\n".
void read_pointers(std::string_view text, std::size_t most, std::map<std::string, Digest>& pointers, LfsWanted& out) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto words = split(text.substr(0, end), ' ');
    const auto size = words.size() == 3 && words[1] == "blob" ? parse_uint(words[2]) : std::nullopt;
    if (end == std::string_view::npos || !size || *size >= text.size() - end)
      fail(ErrorCode::tool_failed, "git cat-file said '{}'", printable(text.substr(0, 100)));
    if (const auto pointer = parse_lfs_pointer(text.substr(end + 1, *size))) {
      const bool is_known = add_pointer(*pointer, out);
      if (is_known && pointers.size() < most) {
        pointers.emplace(words[0], pointer->oid);
      } else if (is_known) {
        note_too_many(out, most, "pointers");
      }
    }
    text.remove_prefix(std::min<std::size_t>(text.size(), end + 1 + *size + 1));
  }
}

}  // namespace

RepositoryCopy::RepositoryCopy(const GitProgram& git, const fs::path& folder)
    : m_git(git), m_folder(folder / "repository.git") {
  m_git.run({"init", "--quiet", "--bare", "--template=", "--initial-branch=main", m_folder});
}

void RepositoryCopy::fetch(const Wanted& wanted) {
  std::string refspecs;
  for (const auto& [name, id] : wanted.selection.refs) refspecs += fmt::format("+{}:{}\n", to_hex(id), name);
  auto arguments = fsck_settings("fetch");
  for (const auto* one : {"fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--stdin"})
    arguments.emplace_back(one);
  arguments.push_back(wanted.source);
  run(std::move(arguments), refspecs);
  // Out of a bundle git 2.39 fetches without looking at the objects.
  if (fs::is_regular_file(wanted.source)) check_objects();
  const auto& head = wanted.selection.head;
  if (head.starts_with("refs/heads/")) {
    run({"symbolic-ref", "HEAD", head});
  } else {
    run({"update-ref", "--no-deref", "HEAD", commit_of(head)});
  }
}

std::string RepositoryCopy::commit_of(const std::string& ref) const {
  return std::string(trim(run({"rev-parse", "--verify", "--quiet", ref + "^{commit}"})));
}

Timestamp RepositoryCopy::newest() const {
  std::uint64_t newest = 0;
  const auto dates = run({"for-each-ref", "--format=%(creatordate:unix)"});
  for (const auto line : split(dates, '\n')) newest = std::max(newest, parse_uint(line).value_or(0));
  return Timestamp(std::chrono::seconds(std::min<std::uint64_t>(newest, 253'402'300'799)));
}

void RepositoryCopy::write_bundle(const Selection& selection, const fs::path& out) const {
  std::vector<std::string> settings;
  for (const auto* one :
       {"pack.threads=1", "pack.window=10", "pack.depth=50", "pack.compression=6", "pack.writeReverseIndex=false",
        "core.bigFileThreshold=64m", "repack.writeBitmaps=false", "repack.useDeltaBaseOffset=true"}) {
    settings.emplace_back("-c");
    settings.emplace_back(one);
  }
  auto repack = settings;
  for (const auto* one : {"repack", "-a", "-d", "-q"}) repack.emplace_back(one);
  if (pack_bytes() <= k_max_repacked) repack.emplace_back("-F");
  run(std::move(repack));
  std::string names = "HEAD\n";
  for (const auto& [name, id] : selection.refs) names += name + "\n";
  auto bundle = std::move(settings);
  for (const auto* one : {"bundle", "create", "--quiet", "--version=2"}) bundle.emplace_back(one);
  bundle.push_back(out);
  bundle.emplace_back("--stdin");
  run(std::move(bundle), names);
}

std::set<std::string> RepositoryCopy::searched_commits(const Selection& selection) const {
  std::vector<std::string> refs{selection.head};
  for (const auto& [name, id] : selection.refs) {
    if (name != selection.head && refs.size() < k_searched_refs) refs.push_back(name);
  }
  std::set<std::string> out;
  for (const auto& ref : refs) out.insert(commit_of(ref));
  return out;
}

std::set<Submodule> RepositoryCopy::submodules(const Selection& selection) const {
  std::set<Submodule> out;
  for (const auto& commit : searched_commits(selection)) submodules_of(commit, out);
  return out;
}

LfsWanted RepositoryCopy::lfs_files(const Selection& selection, std::size_t most) const {
  // All blobs that are small enough, of the whole history; there may be many, and most of them are something else.
  const auto listed = m_git.run(
      {"--git-dir=" + m_folder.string(), "rev-list", "--objects", "--no-object-names", "--filter=object:type=blob",
       fmt::format("--filter=blob:limit={}", k_max_lfs_pointer + 1), "--filter-provided-objects", "--all"},
      {}, k_max_listed);
  LfsWanted out;
  std::map<std::string, Digest> pointers;
  std::string_view rest = listed;
  while (!rest.empty()) {
    const auto piece = rest.substr(0, k_looked_at_once * k_id_line);
    rest.remove_prefix(piece.size());
    read_pointers(run({"cat-file", "--batch"}, std::string(piece)), most, pointers, out);
  }
  name_lfs_files(pointers, selection, out);
  return out;
}

void RepositoryCopy::name_lfs_files(const std::map<std::string, Digest>& pointers, const Selection& selection,
                                    LfsWanted& out) const {
  if (pointers.empty()) return;
  for (const auto& commit : searched_commits(selection)) {
    const auto files = run({"ls-tree", "-r", "-z", "--full-tree", commit});
    for (const auto line : split(files, '\0')) {
      const auto tab = line.find('\t');
      if (tab == std::string_view::npos || tab < k_id_line) continue;
      const auto found = pointers.find(std::string(line.substr(tab + 1 - k_id_line, k_id_line - 1)));
      if (found == pointers.end()) continue;
      auto& path = out.files.at(found->second).path;
      if (path.empty()) path = line.substr(tab + 1);
    }
  }
}

std::optional<std::string> RepositoryCopy::lfs_url(const Selection& selection) const {
  const auto commit = commit_of(selection.head);
  // "100644 blob ID    SIZE\t.lfsconfig"
  const auto entry = run({"ls-tree", "-l", "-z", "--full-tree", commit, "--", ".lfsconfig"});
  if (!entry.starts_with("100")) return std::nullopt;
  const auto words = std::string_view(entry).substr(0, entry.find('\t'));
  const auto size = parse_uint(words.substr(words.rfind(' ') + 1));
  if (!size || *size > k_max_lfs_config)
    fail(ErrorCode::limit_exceeded, ".lfsconfig has more than {} bytes", k_max_lfs_config);
  const auto settings = run({"config", "--no-includes", "--blob", commit + ":.lfsconfig", "-z", "--list"});
  std::optional<std::string> out;
  for (const auto setting : split(settings, '\0')) {
    constexpr std::string_view k_key = "lfs.url\n";
    if (setting.starts_with(k_key)) out = setting.substr(k_key.size());
  }
  return out;
}

std::string RepositoryCopy::run(std::vector<std::string> arguments, const std::string& input) const {
  arguments.insert(arguments.begin(), "--git-dir=" + m_folder.string());
  return m_git.run(std::move(arguments), input);
}

void RepositoryCopy::check_objects() const {
  std::vector<std::string> arguments;
  for (const auto message : k_tolerated) {
    arguments.emplace_back("-c");
    arguments.push_back(fmt::format("fsck.{}=ignore", message));
  }
  for (const auto* one : {"fsck", "--strict", "--full", "--no-dangling", "--no-progress"}) arguments.emplace_back(one);
  run(std::move(arguments));
}

std::uint64_t RepositoryCopy::pack_bytes() const {
  std::uint64_t out = 0;
  for (const auto& found : walk(m_folder / "objects", 1'000'000))
    out += static_cast<std::uint64_t>(found.status.st_size);
  return out;
}

void RepositoryCopy::submodules_of(const std::string& commit, std::set<Submodule>& out) const {
  std::map<std::string, std::string> places;  // their commits, by path
  bool described = false;
  const auto files = run({"ls-tree", "-r", "-z", "--full-tree", commit});
  for (const auto line : split(files, '\0')) {
    const auto tab = line.find('\t');
    if (tab == std::string_view::npos) continue;
    constexpr std::string_view k_submodule = "160000 commit ";
    if (line.starts_with(k_submodule))
      places[std::string(line.substr(tab + 1))] = line.substr(k_submodule.size(), tab - k_submodule.size());
    described = described || line.substr(tab + 1) == ".gitmodules";
  }
  if (places.empty()) return;
  std::map<std::string, Submodule> by_name;
  if (described) {
    // A file of a stranger includes none of this machine: git reads includes of blobs otherwise.
    const auto settings = run({"config", "--no-includes", "--blob", commit + ":.gitmodules", "-z", "--get-regexp",
                               "^submodule\\..*\\.(path|url)$"});
    for (const auto setting : split(settings, '\0')) {
      const auto end = setting.find('\n');
      if (end == std::string_view::npos) continue;
      const auto key = setting.substr(0, end);
      auto& one = by_name[std::string(key.substr(0, key.rfind('.')))];
      (key.ends_with(".url") ? one.url : one.path) = setting.substr(end + 1);
    }
  }
  for (const auto& [path, submodule] : places) {
    const auto named =
        std::find_if(by_name.begin(), by_name.end(), [&](const auto& one) { return one.second.path == path; });
    out.insert({path, named == by_name.end() ? "" : named->second.url, submodule});
  }
}

}  // namespace liftlock::git
