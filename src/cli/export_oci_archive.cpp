// An image as one tar of an OCI layout: what is imported into the runtime of a node that no registry serves. The
// manifest keeps its bytes, so the digest that a deployment pins is the one that the node has.
// Source: image-spec, image-layout.md; containerd, docs of `ctr images import`: io.containerd.image.name is the name.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/export_layouts.hpp"
#include "cli/export_tar.hpp"
#include "ecosystem/oci/image.hpp"
#include "ecosystem/oci/reference.hpp"

namespace liftlock {
namespace {

/// "HOST/NAME:TAG", or HOST/NAME@sha256:… of an image that was pinned by digest.
std::string full_name(const Artifact& image, const oci::ImageFacts& facts, const std::string& wanted) {
  const auto parsed = [](const std::string& text) -> std::optional<oci::Reference> {
    try {
      auto reference = oci::parse_reference(text);
      if (!reference.host.empty()) return reference;
    } catch (const Error&) {
    }
    return std::nullopt;
  };
  if (!wanted.empty()) {
    if (!parsed(wanted)) {
      throw Error(ErrorCode::usage, fmt::format("'{}' is no full name of an image", printable(wanted)),
                  "write HOST/NAME:TAG, as the deployment has it");
    }
    return wanted;
  }
  if (!facts.ref.starts_with("docker-archive:") && !facts.ref.starts_with("oci:") && parsed(facts.ref)) {
    return facts.ref;
  }
  const bool official = image.name.find('/') == std::string::npos;
  return fmt::format("docker.io/{}{}", official ? "library/" : "", oci::layout_ref(image));
}

}  // namespace

std::vector<ExportedFile> export_oci_archive(const LayoutOrder& order) {
  const auto& image = order.artifacts.front();
  const auto facts = oci::parse_image_facts(image.facts);
  const auto name = full_name(image, facts, order.image_name);
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
