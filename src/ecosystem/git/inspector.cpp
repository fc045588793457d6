#include "ecosystem/git/inspector.hpp"

#include <array>
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

Json inspect_bundle(const Artifact& artifact, int file) {
  if (!is_repository_name(artifact.name) ||
      artifact.files[0].path.text() != "packages/git/" + artifact.name + ".bundle") {
    fail(ErrorCode::package_malformed, "the bundle of '{}' does not lie in packages/git under this name",
         printable(artifact.name));
  }
  const auto header = read_bundle_header(file);
  compare_refs(artifact, header);
  std::vector<std::pair<std::string, ObjectId>> wanted(header.refs.begin(), header.refs.end());
  if (header.head) wanted.emplace_back("HEAD", *header.head);
  const auto size = regular_size(file, "a git bundle");
  const auto pack = check_pack(file, header.pack_offset, size - header.pack_offset, wanted);
  check_head(header, pack, string_member(artifact.facts, "head", "facts of " + artifact.name));
  return {{"version", header.version},
          {"objects", pack.objects},
          {"commits", pack.commits},
          {"trees", pack.trees},
          {"blobs", pack.blobs},
          {"tags", pack.tags},
          {"bytes", pack.bytes},
          {"lfs_pointers", pack.lfs_pointers},
          {"submodule_entries", pack.submodules}};
}

}  // namespace

std::span<const std::string_view> BundleInspector::kinds() const {
  return k_kinds;
}

Inspection BundleInspector::inspect(const Artifact& artifact, std::span<const int> files) const {
  Inspection out;
  const auto path = artifact.files.empty() ? std::string() : artifact.files[0].path.text();
  try {
    if (artifact.files.size() != 1) fail(ErrorCode::package_malformed, "a repository is one bundle");
    out.facts = inspect_bundle(artifact, files[0]);
  } catch (const Error& error) {
    out.findings.push_back({error.code(), path, printable(error.what())});
  }
  return out;
}

}  // namespace liftlock::git
