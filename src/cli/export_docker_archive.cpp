// What `docker save` would write of an image: a tar with its config, its layers as they are, and manifest.json. The
// config's digest is the image's id, which the runtime shows after loading.
#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/export_layouts.hpp"
#include "cli/export_tar.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/oci/image.hpp"

namespace liftlock {
namespace {

class DockerArchiveWriter {
 public:
  explicit DockerArchiveWriter(const LayoutOrder& order)
      : m_order(order), m_image(order.artifacts.front()), m_tar(order) {}

  std::vector<ExportedFile> run() {
    const auto manifest = find_manifest();
    const auto config = manifest.config.digest.hex() + ".json";
    m_tar.add_blob(config, manifest.config.digest, manifest.config.size);
    auto layers = Json::array();
    for (const auto& layer : manifest.layers) {
      const auto name = layer.digest.hex() + "/layer.tar";
      if (std::find(layers.begin(), layers.end(), name) == layers.end()) m_tar.add_blob(name, layer.digest, layer.size);
      layers.push_back(name);
    }
    auto tags = Json::array();
    if (!Digest::try_parse(m_image.version)) tags.push_back(oci::layout_ref(m_image));
    m_tar.add_text("manifest.json",
                   dump_json_line(Json::array(
                       {{{"Config", config}, {"RepoTags", std::move(tags)}, {"Layers", std::move(layers)}}})));
    auto file = m_tar.finish();
    m_order.reporter.note("the image's id, as the runtime shows it after loading: " + manifest.config.digest.text());
    return {std::move(file)};
  }

 private:
  std::string document(const oci::Descriptor& descriptor) const {
    auto text = read_all(m_order.store.blobs.open(descriptor.digest).get(), oci::k_max_manifest_bytes, "a manifest");
    if (sha256(text) != descriptor.digest)
      fail(ErrorCode::blob_corrupt, "the blob of {} is no longer that", descriptor.digest.text());
    return text;
  }

  bool is_here(const Digest& digest) const {
    return std::any_of(m_image.files.begin(), m_image.files.end(),
                       [&](const auto& file) { return file.digest == digest; });
  }

  static std::string native() {
    utsname machine{};
    if (::uname(&machine) != 0) fail_errno("uname");
    const std::string_view name(machine.machine);
    return name == "x86_64" ? "amd64" : name == "aarch64" ? "arm64" : std::string(name);
  }

  /// The only image, or of several that for this machine.
  oci::Manifest find_manifest() const {
    auto root = oci::parse_image_facts(m_image.facts).manifest;
    for (int depth = 0; depth < 4; ++depth) {
      const auto parsed = oci::parse_manifest(document(root), root.media_type);
      if (const auto* manifest = std::get_if<oci::Manifest>(&parsed)) return *manifest;
      std::vector<oci::Descriptor> here;
      for (const auto& child : std::get<oci::Index>(parsed).manifests) {
        if (is_here(child.digest) && child.annotation("vnd.docker.reference.digest").empty()) here.push_back(child);
      }
      if (here.size() > 1) {
        std::erase_if(here,
                      [](const auto& child) { return !child.platform || child.platform->architecture != native(); });
      }
      if (here.size() != 1) {
        throw Error(ErrorCode::usage,
                    fmt::format("{} has {} images for this machine", printable(m_image.id()), here.size()),
                    "an OCI layout holds them all: leave --docker-archive out");
      }
      root = here.front();
    }
    fail(ErrorCode::image_malformed, "{}: indexes nested too deep", printable(m_image.id()));
  }

  const LayoutOrder& m_order;
  const Artifact& m_image;
  ExportTar m_tar;
};

}  // namespace

std::vector<ExportedFile> export_docker_archive(const LayoutOrder& order) {
  return DockerArchiveWriter(order).run();
}

}  // namespace liftlock
