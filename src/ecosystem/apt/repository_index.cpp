#include "ecosystem/apt/repository_index.hpp"

#include <nlohmann/json.hpp>
#include <set>

#include "archive/decompress.hpp"
#include "base/error.hpp"
#include "base/loose_json.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/apt/deb_inspector.hpp"
#include "ecosystem/apt/release_date.hpp"

namespace liftlock::apt {
namespace {

/// A stanza must not end its paragraph early: whoever made the artifact does not add packages to the index.
std::string safe_stanza(const Artifact& artifact) {
  auto stanza = text_in(artifact.facts, "stanza");
  while (stanza.ends_with('\n')) stanza.pop_back();
  if (stanza.empty() || stanza.find("\n\n") != std::string::npos || stanza.find('\r') != std::string::npos) {
    stanza = fmt::format("Package: {}\nVersion: {}\nArchitecture: {}", package_of(artifact.name), artifact.version,
                         text_in(artifact.facts, "architecture"));
  }
  return stanza + "\n";
}

std::string packages_text(const std::vector<const MirroredArtifact*>& debs, const std::string& channel,
                          std::string_view architecture) {
  std::map<std::string, const Artifact*> by_file;
  for (const auto* deb : debs) {
    const auto own = text_in(deb->artifact.facts, "architecture");
    if (own == architecture || own == "all")
      by_file[std::string(deb->artifact.files[0].path.filename())] = &deb->artifact;
  }
  std::string out;
  for (const auto& [name, artifact] : by_file) {
    const auto& file = artifact->files[0];
    out += safe_stanza(*artifact);
    out +=
        fmt::format("Filename: {}\nSize: {}\nSHA256: {}\n\n", pool_path(channel, file), file.size, file.digest.hex());
  }
  return out;
}

}  // namespace

std::string pool_path(const std::string& channel, const ArtifactFile& file) {
  return fmt::format("pool/{}/{}", channel, file.path.filename());
}

SuiteIndex make_suite_index(const std::vector<const MirroredArtifact*>& debs, const std::string& channel) {
  SuiteIndex out;
  std::set<std::string> architectures;
  for (const auto* deb : debs) {
    const auto own = text_in(deb->artifact.facts, "architecture");
    if (!own.empty() && own != "all") architectures.insert(own);
  }
  // A client asks for its own architecture even where every package is of "all".
  if (architectures.empty()) architectures = {"amd64", "arm64"};
  out.architectures.assign(architectures.begin(), architectures.end());
  for (const auto& architecture : out.architectures) {
    const auto folder = fmt::format("main/binary-{}/", architecture);
    auto text = packages_text(debs, channel, architecture);
    out.files[folder + "Packages.gz"] = gzip(text);
    out.files[folder + "Packages"] = std::move(text);
  }
  return out;
}

std::string make_release(const SuiteIndex& index, const std::string& channel, Timestamp date) {
  std::string out = fmt::format(
      "Origin: Liftlock\nLabel: Liftlock\nSuite: {0}\nCodename: {0}\nDate: {1}\nArchitectures: all {2}\n"
      "Components: main\nAcquire-By-Hash: yes\nNo-Support-for-Architecture-all: Packages\n"
      "Description: what the channel {0} brought across\nSHA256:\n",
      channel, format_release_date(date), fmt::join(index.architectures, " "));
  for (const auto& [path, bytes] : index.files)
    out += fmt::format(" {} {} {}\n", sha256(bytes).hex(), bytes.size(), path);
  return out;
}

}  // namespace liftlock::apt
