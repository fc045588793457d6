#include "bundle/signatures.hpp"

#include <fcntl.h>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "bundle/manifest.hpp"

namespace liftlock {

bool is_signature_path(const RelPath& path) {
  return path.is_under("signatures") && path.text().find('/', 11) == std::string::npos &&
         (path.text().ends_with(".sigstore.json") || path.text().ends_with(".asc"));
}

std::vector<SignatureFile> read_signatures(const fs::path& folder) {
  std::vector<SignatureFile> out;
  const auto signatures = folder / "signatures";
  if (!fs::exists(fs::symlink_status(signatures))) return out;
  const auto folder_fd = open_folder(folder);
  for (const auto& entry : walk(signatures, 4 * bundle_limits::k_signatures)) {
    const auto path = RelPath::try_parse("signatures/" + entry.path);
    if (!path || !is_signature_path(*path)) continue;
    if (out.size() == bundle_limits::k_signatures) {
      fail(ErrorCode::limit_exceeded, "more than {} signatures", bundle_limits::k_signatures);
    }
    const auto fd = open_beneath(folder_fd.get(), *path, O_RDONLY | O_NONBLOCK);
    if (!fd) continue;
    regular_size(fd->get(), path->text());
    out.push_back({std::string(path->filename()), read_all(fd->get(), bundle_limits::k_signature, path->text())});
  }
  return out;
}

std::set<std::string> approvers_of(const std::vector<JudgedSignature>& judged) {
  std::set<std::string> out;
  for (const auto& signature : judged) {
    if (signature.role != Role::approver || signature.status != SignatureStatus::valid) continue;
    out.insert(printable(signature.owner.empty() ? signature.key_id.substr(0, 16) : signature.owner));
  }
  return out;
}

}  // namespace liftlock
