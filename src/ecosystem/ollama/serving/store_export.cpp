#include "ecosystem/ollama/serving/store_export.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>
#include <utility>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/ollama/store_reader.hpp"

namespace liftlock::ollama {
namespace {

/// A store of another user's, into which root writes for him: he may put links there meanwhile, so that nothing below
/// is reached but through folders that are none.
class Store {
 public:
  explicit Store(const fs::path& folder) : m_path(folder) {
    make_folders(folder);
    m_folder = open_folder(folder);
    const auto owner = stat_of(m_folder.get(), folder.string());
    if (::geteuid() == 0 && owner.st_uid != 0) m_owner = {owner.st_uid, owner.st_gid};
  }

  /// Made where it is missing. @throws Error{not_regular} for a link on the way
  UniqueFd folder(const fs::path& relative) const {
    UniqueFd at(::fcntl(m_folder.get(), F_DUPFD_CLOEXEC, 0));
    for (const auto& part : relative) {
      const bool made = ::mkdirat(at.get(), part.c_str(), 0755) == 0;
      UniqueFd next(::openat(at.get(), part.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (!next.valid()) {
        throw Error(ErrorCode::not_regular,
                    fmt::format("'{}' of the store '{}' is no folder", printable(relative.string()),
                                printable(m_path.string())),
                    "a link there would lead out of the store: remove it");
      }
      if (made) give(next.get());
      at = std::move(next);
    }
    return at;
  }

  /// A file of a folder that folder() opened.
  void write(const UniqueFd& folder, const std::string& name, std::string_view content) const {
    write_file_atomically(fs::path(fmt::format("/proc/self/fd/{}", folder.get())) / name, content);
    give_file(folder, name);
  }
  void give_file(const UniqueFd& folder, const std::string& name) const {
    if (!m_owner) return;
    const UniqueFd file(::openat(folder.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!file.valid()) fail_errno(fmt::format("open '{}'", printable(name)));
    give(file.get());
  }

 private:
  void give(int fd) const {
    if (m_owner && ::fchown(fd, m_owner->first, m_owner->second) != 0)
      fail_errno("give a file to the owner of the store");
  }

  fs::path m_path;
  UniqueFd m_folder;
  std::optional<std::pair<uid_t, gid_t>> m_owner;
};

}  // namespace

std::vector<ExportedFile> export_to_store(const BlobStore& blobs, const Artifact& artifact, const Name& name,
                                          const fs::path& store_folder, Reporter& reporter) {
  const auto store = fs::absolute(store_folder).lexically_normal();
  const auto model = make_model(artifact, blobs);
  Artifact stored = artifact;
  stored.files.clear();
  for (const auto& [digest, file] : model.stored) {
    stored.files.push_back(file);
    stored.files.back().path = RelPath::parse("blobs/sha256-" + digest.hex());
  }
  const Store target(store);
  const auto blob_folder = target.folder("blobs");
  auto exported = export_artifact(blobs, stored, store, ExportLayout::bundle, reporter);
  for (const auto& file : exported) target.give_file(blob_folder, file.path.filename().string());
  for (const auto& [digest, text] : model.made) {
    const auto at = blob_path(store, digest);
    target.write(blob_folder, at.filename().string(), text);
    exported.push_back({at, text.size(), digest});
  }
  const auto manifest = manifest_path(store, name);
  const auto folder = target.folder(manifest.parent_path().lexically_relative(store));
  target.write(folder, manifest.filename().string(), model.manifest);
  exported.push_back({manifest, model.manifest.size(), sha256(model.manifest)});
  return exported;
}

}  // namespace liftlock::ollama
