// An image as one tar of an OCI layout: what is imported into the runtime of a node that no registry serves. The
// manifest keeps its bytes, so the digest that a deployment pins is the one that the node has.
// Source: image-spec, image-layout.md; containerd, docs of `ctr images import`: io.containerd.image.name is the name.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "cli/export_image.hpp"
#include "cli/export_layouts.hpp"
#include "cli/export_tar.hpp"
#include "ecosystem/oci/image.hpp"

namespace liftlock {

std::vector<ExportedFile> export_oci_archive(const LayoutOrder& order) {
  const auto& image = order.artifacts.front();
  const auto facts = oci::parse_image_facts(image.facts);
  const auto name = full_image_name(image, order.image_name);
  ExportTar tar(order);
  for (const auto& [path, text] : oci::assemble_oci_layout({&image, 1})) {
    auto document = text;
    if (path.filename() == "index.json") {
      auto index = parse_json(text);
      for (auto& descriptor : index["manifests"]) {
        if (descriptor["digest"] != facts.manifest.digest.text() || !descriptor.contains("annotations")) continue;
        descriptor["annotations"]["io.containerd.image.name"] = name;
      }
      document = dump_json(index);
    }
    tar.add_text(std::string(path.filename()), document);
  }
  for (const auto& file : image.files) tar.add_blob("blobs/sha256/" + file.digest.hex(), file.digest, file.size);
  auto written = tar.finish();
  order.reporter.note(fmt::format("{} is {} there", name, facts.manifest.digest.text()));
  return {std::move(written)};
}

}  // namespace liftlock
