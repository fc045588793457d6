// Container images as others pack them: OCI layouts and `docker save` archives.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/oci/docker_image.hpp"
#include "ecosystem/oci/gather.hpp"
#include "intake/image_layout.hpp"
#include "intake/listing.hpp"
#include "intake/shape.hpp"

namespace liftlock {
namespace {

/// DockerImage over what was staged.
class StagedMembers : public oci::ArchiveMembers {
 public:
  StagedMembers(const Tree& tree, const StagedFiles& staged) : m_tree(tree), m_staged(staged), m_what(tree.name()) {}

  bool has(const std::string& name) const override { return m_tree.has(name); }
  oci::ArchiveMember member(const std::string& name) const override {
    if (!has(name)) fail(ErrorCode::image_malformed, "{} has no member '{}'", m_what, printable(name));
    const auto head = m_tree.head(name, 4);
    oci::ArchiveMember out{.size = m_tree.size(name), .digest = m_staged.digest(m_tree, name), .magic = {}};
    head.copy(out.magic.data(), out.magic.size());
    return out;
  }
  std::string read(const std::string& name, std::uint64_t max_bytes) const override {
    if (!has(name)) fail(ErrorCode::image_malformed, "{} has no member '{}'", m_what, printable(name));
    return m_staged.read(m_staged.digest(m_tree, name), max_bytes);
  }
  const std::string& what() const override { return m_what; }

 private:
  const Tree& m_tree;
  const StagedFiles& m_staged;
  std::string m_what;
};

}  // namespace

std::optional<Found> recognise_oci_layout(const std::shared_ptr<const Tree>& tree, const ImportCells&) {
  if (!is_layout(*tree)) return std::nullopt;
  const auto layout = std::make_shared<ImageLayout>(tree);
  auto found = found_images(layout, "oci-layout", image_entries(*layout));
  found.words = "an OCI image layout of " + count_images(found);
  return found;
}

std::optional<Found> recognise_docker_archive(const std::shared_ptr<const Tree>& tree, const ImportCells&) {
  if (!tree->has("manifest.json")) return std::nullopt;
  const auto text = tree->read("manifest.json", oci::k_max_manifest_bytes);
  if (!text.starts_with('[') || text.find("\"Config\"") == std::string::npos) return std::nullopt;
  const auto images = oci::parse_archive_manifest(text);
  Found found{.shape = "docker-archive",
              .words = "a `docker save` archive of " + counted(images.size(), "image"),
              .preview = {{"images", Json::array()}}};
  for (const auto& image : images) found.preview["images"].push_back(image.tags);
  for (const auto& path : tree->paths()) {
    WantedFile file{.tree = tree, .path = path, .stated = std::nullopt, .stated_by = {}};
    if (is_blob_path(path)) {
      file.stated = Digest::parse_sha256_hex(path.substr(path.rfind('/') + 1));
      file.stated_by = "the name of the blob";
    } else if (path == "manifest.json") {
      file.stated = sha256(text);
      file.stated_by = "what was read of it";
    }
    found.files.push_back(std::move(file));
  }
  found.make = [tree, images](StagedFiles& staged) {
    const StagedMembers members(*tree, staged);
    std::vector<Artifact> out;
    for (std::size_t i = 0; i < images.size(); ++i) {
      oci::DockerImage image(members, fmt::format("@{}", i));
      auto chosen = image.choose();
      if (chosen.name.empty()) chosen.name = repository_name(plain_title(*tree));
      auto artifact = oci::gather_image(image, chosen, {}, [&](std::string_view bytes) { staged.keep(bytes); });
      const auto tags = images[i].tags;
      for (std::size_t tag = 1; tag < tags.size(); ++tag) {
        auto again = artifact;
        const auto reference = oci::parse_reference(tags[tag]);
        again.name = reference.repository;
        again.version = reference.version();
        out.push_back(std::move(again));
      }
      out.push_back(std::move(artifact));
    }
    return out;
  };
  return found;
}

}  // namespace liftlock
