#include "ecosystem/git/inspector.hpp"

#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "ecosystem/git/bundle_header.hpp"
#include "ecosystem/git/names.hpp"
#include "ecosystem/git/pack.hpp"
#include "os/file.hpp"

namespace liftlock::git {
namespace {

constexpr std::array<std::string_view, 1> k_kinds{"git"};

/// What the lock pinned must be what the bundle holds, ref by ref.
void compare_refs(const Artifact& artifact, const BundleHeader& header) {
  const auto where = "facts of " + artifact.name;
  const auto& stated = object_member(artifact.facts, "refs", where);
  for (const auto& [name, id] : header.refs) {
    if (name.starts_with(k_commit_refs) && name.substr(k_commit_refs.size()) != to_hex(id))
      fail(ErrorCode::package_malformed, "the bundle has {} at {}", printable(name), to_hex(id));
    const auto found = stated.find(name);
    if (found == stated.end())
      fail(ErrorCode::package_malformed, "the bundle has {}, of which the lock knows nothing", printable(name));
    if (*found != to_hex(id)) {
      fail(ErrorCode::package_malformed, "the bundle has {} at {}, the lock at {}", printable(name), to_hex(id),
           printable(found->is_string() ? found->get<std::string>() : found->dump()));
    }
  }
  for (const auto& [name, id] : stated.items()) {
    if (header.refs.find(name) == header.refs.end())
      fail(ErrorCode::package_malformed, "the bundle lacks {}, which the lock has", printable(name));
  }
  const auto head = string_member(artifact.facts, "head", where);
  const auto leads = header.refs.find(head);
  if (leads == header.refs.end())
    fail(ErrorCode::package_malformed, "HEAD leads to {}, which is no ref", printable(head));
}

/// HEAD stands where the lock's ref does. An annotated tag may stand in between: HEAD is its commit then.
void check_head(const BundleHeader& header, const PackFacts& pack, const std::string& head) {
  if (header.head && *header.head != pack.peeled.at(head))
    fail(ErrorCode::package_malformed, "HEAD of the bundle is not at {}", printable(head));
}

/// The files of Git LFS that came along: each has the name that its digest gives it, and a pointer in the bundle asks
/// for it. The bytes are nobody's to judge here: that they have this digest was checked.
class LfsFiles {
 public:
  explicit LfsFiles(const Artifact& artifact) {
    if (artifact.files.size() - 1 > k_max_lfs_files) {
      fail(ErrorCode::limit_exceeded, "{} files of Git LFS came with {}, of at most {}", artifact.files.size() - 1,
           printable(artifact.name), k_max_lfs_files);
    }
    for (std::size_t i = 1; i < artifact.files.size(); ++i) {
      const auto& file = artifact.files[i];
      if (file.path.text() != lfs_path(artifact.name, file.digest)) {
        fail(ErrorCode::package_malformed,
             "'{}' is neither the repository's bundle nor a file of Git LFS by its digest",
             printable(file.path.text()));
      }
      m_wanted.emplace(file.digest, Wanted{file.size});
    }
  }

  void see(const LfsPointer& pointer) {
    const auto found = m_wanted.find(pointer.oid);
    if (found != m_wanted.end() && found->second.size == pointer.size) found->second.named = true;
  }

  /// @throws Error{package_malformed}
  void finish() const {
    for (const auto& [oid, wanted] : m_wanted) {
      if (!wanted.named) {
        fail(ErrorCode::package_malformed, "no pointer in the bundle asks for {} of Git LFS with {} bytes", oid.text(),
             wanted.size);
      }
    }
  }
  std::size_t count() const { return m_wanted.size(); }

 private:
  struct Wanted {
    std::uint64_t size;
    bool named = false;
  };
  std::map<Digest, Wanted> m_wanted;
};

Json inspect_bundle(const Artifact& artifact, int file) {
  if (!is_repository_name(artifact.name) ||
      artifact.files[0].path.text() != "packages/git/" + artifact.name + ".bundle") {
    fail(ErrorCode::package_malformed, "the bundle of '{}' does not lie in packages/git under this name",
         printable(artifact.name));
  }
  LfsFiles lfs(artifact);
  const auto header = read_bundle_header(file);
  compare_refs(artifact, header);
  std::vector<std::pair<std::string, ObjectId>> wanted(header.refs.begin(), header.refs.end());
  if (header.head) wanted.emplace_back("HEAD", *header.head);
  const auto size = regular_size(file, "a git bundle");
  const auto pack = check_pack(file, header.pack_offset, size - header.pack_offset, wanted, {},
                               [&lfs](const LfsPointer& pointer) { lfs.see(pointer); });
  lfs.finish();
  check_head(header, pack, string_member(artifact.facts, "head", "facts of " + artifact.name));
  return {{"version", header.version}, {"objects", pack.objects},
          {"commits", pack.commits},   {"trees", pack.trees},
          {"blobs", pack.blobs},       {"tags", pack.tags},
          {"bytes", pack.bytes},       {"lfs_pointers", pack.lfs_pointers},
          {"lfs_files", lfs.count()},  {"submodule_entries", pack.submodules}};
}

}  // namespace

std::span<const std::string_view> BundleInspector::kinds() const {
  return k_kinds;
}

bool BundleInspector::reads(const Artifact&, std::size_t index) const {
  return index == 0;  // the bundle: its path comes before those of the files of Git LFS
}

Inspection BundleInspector::inspect(const Artifact& artifact, std::span<const int> files) const {
  Inspection out;
  const auto path = artifact.files.empty() ? std::string() : artifact.files[0].path.text();
  try {
    if (artifact.files.empty()) fail(ErrorCode::package_malformed, "a repository is a bundle, and there is none");
    out.facts = inspect_bundle(artifact, files[0]);
  } catch (const Error& error) {
    out.findings.push_back({error.code(), path, printable(error.what())});
  }
  return out;
}

}  // namespace liftlock::git
