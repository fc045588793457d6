// What `docker save` would write of an image: a tar with its config, its layers as they are, and manifest.json. The
// config's digest is the image's id, which the runtime shows after loading.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "cli/export_image.hpp"
#include "cli/export_layouts.hpp"
#include "cli/export_tar.hpp"
#include "ecosystem/oci/image.hpp"

namespace liftlock {
namespace {

class DockerArchiveWriter {
 public:
  explicit DockerArchiveWriter(const LayoutOrder& order)
      : m_order(order), m_image(order.artifacts.front()), m_tar(order) {}

  std::vector<ExportedFile> run() {
    const auto manifest = native_image(m_order.store, m_image).manifest;
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
  const LayoutOrder& m_order;
  const Artifact& m_image;
  ExportTar m_tar;
};

}  // namespace

std::vector<ExportedFile> export_docker_archive(const LayoutOrder& order) {
  return DockerArchiveWriter(order).run();
}

}  // namespace liftlock
