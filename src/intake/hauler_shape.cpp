// Hauls of Hauler (pkg/consts and pkg/store of its 2.x): an OCI layout in which charts and files are OCI artifacts of
// the kind "image", too, and what is attached to an image is called as the image is.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <variant>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "intake/image_layout.hpp"
#include "intake/plain_artifacts.hpp"

namespace liftlock {
namespace {

const std::string k_kind = "kind";
const std::string k_ref_name = "org.opencontainers.image.ref.name";
const std::string k_whole_name = "io.containerd.image.name";
const std::string k_title = "org.opencontainers.image.title";
constexpr std::string_view k_chart_config = "application/vnd.cncf.helm.config.v1+json";
constexpr std::string_view k_chart_layer = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
constexpr std::string_view k_file_layer = "application/vnd.content.hauler.file.layer.v1";
constexpr std::string_view k_referrers = "/referrers/";

/// "dev.hauler/sigs" → "sigs"; of "dev.hauler/referrers/DIGEST" "referrers". Empty where there is no kind.
std::string kind_of(const oci::Descriptor& descriptor) {
  const auto kind = descriptor.annotation(k_kind);
  if (kind.find(k_referrers) != std::string::npos) return "referrers";
  return kind.substr(kind.rfind('/') + 1);
}

/// Signatures are found by their kind and the image's name: their tags are not kept.
class Haul : public ImageLayout {
 public:
  using ImageLayout::ImageLayout;

  std::vector<oci::Referrer> referrers(const Digest& subject) override {
    std::vector<oci::Referrer> out;
    for (const auto& descriptor : index().manifests) {
      const auto kind = kind_of(descriptor);
      if (kind == "referrers") {
        const auto parsed = oci::parse_manifest(manifest(descriptor), descriptor.media_type);
        const auto& of = oci::subject_of(parsed);
        if (!of || of->digest != subject) continue;
        auto attached = descriptor;
        attached.artifact_type = oci::artifact_type_of(parsed);
        out.push_back({std::move(attached), subject, ""});
      } else if (const auto suffix = suffix_of(kind); !suffix.empty() && is_called_as(descriptor, subject)) {
        out.push_back({descriptor, subject, oci::cosign_tag(subject, suffix)});
      }
    }
    return out;
  }

  bool is_attachment(const oci::Descriptor& descriptor) override {
    const auto kind = kind_of(descriptor);
    return kind == "referrers" || !suffix_of(kind).empty();
  }

 private:
  static std::string_view suffix_of(std::string_view kind) {
    if (kind == "sigs") return ".sig";
    if (kind == "atts") return ".att";
    return kind == "sboms" ? ".sbom" : "";
  }

  /// By the name without its host, and with it where both have one.
  bool is_called_as(const oci::Descriptor& attached, const Digest& subject) const {
    const auto& entries = index().manifests;
    const auto agree = [&](const oci::Descriptor& entry, const std::string& key) {
      const auto one = entry.annotation(key), other = attached.annotation(key);
      return one == other || (key == k_whole_name && (one.empty() || other.empty()));
    };
    return std::any_of(entries.begin(), entries.end(), [&](const auto& entry) {
      return entry.digest == subject && agree(entry, k_ref_name) && agree(entry, k_whole_name);
    });
  }
};

/// A blob that is taken in as a chart or a file.
struct Held {
  Digest blob;
  Digest manifest;
  std::string title;
  std::string folder = {};  ///< of a file whose title another one has, too
};

struct Contents {
  std::vector<oci::Descriptor> images;
  std::vector<Held> charts, files;
  std::vector<std::string> notes;
};

/// Each chart once, however often it is listed: its id is what its Chart.yaml says.
void add_chart(Held held, Contents& contents) {
  const auto is_same = [&](const Held& one) { return one.blob == held.blob; };
  if (std::none_of(contents.charts.begin(), contents.charts.end(), is_same)) contents.charts.push_back(std::move(held));
}

/// Each file once; those of one title with other bytes lie in folders of their own.
void add_file(Held held, Contents& contents) {
  const auto name = to_lower(portable_component(held.title));
  for (const auto& one : contents.files) {
    if (to_lower(portable_component(one.title)) != name) continue;
    if (one.blob == held.blob) return;
    held.folder = held.blob.hex().substr(0, 12);
  }
  if (!held.folder.empty())
    contents.notes.push_back(fmt::format("several files are called '{}': {} lies in files/{}/", printable(held.title),
                                         held.blob.text(), held.folder));
  contents.files.push_back(std::move(held));
}

/// What a manifest holds that is no image; nothing for images. @returns whether it was taken
bool take_artifact(const oci::Manifest& manifest, const oci::Descriptor& entry, Contents& contents) {
  const auto name = oci::LayoutReader::name_of(entry);
  const bool chart = manifest.config.media_type == k_chart_config;
  const bool file = !chart && std::any_of(manifest.layers.begin(), manifest.layers.end(),
                                          [](const auto& layer) { return layer.media_type == k_file_layer; });
  if (!chart && !file) return false;
  for (const auto& layer : manifest.layers) {
    if (layer.media_type == (chart ? k_chart_layer : k_file_layer)) {
      auto title = layer.annotation(k_title);
      if (title.empty()) title = name.substr(0, name.rfind(':'));
      (chart ? add_chart : add_file)({layer.digest, entry.digest, title.substr(title.rfind('/') + 1)}, contents);
    } else {
      contents.notes.push_back(
          fmt::format("of {} the part {} is left out", printable(name), printable(layer.media_type)));
    }
  }
  return true;
}

Contents contents_of(Haul& haul) {
  Contents out;
  for (const auto& entry : haul.index().manifests) {
    const auto kind = kind_of(entry);
    if (!kind.empty() && kind != "image" && kind != "imageIndex") {
      if (!haul.is_attachment(entry))
        out.notes.push_back(fmt::format("{} is no image ({})", printable(oci::LayoutReader::name_of(entry)),
                                        printable(entry.annotation(k_kind))));
      continue;
    }
    if (oci::media::is_manifest(entry.media_type)) {
      const auto any = oci::parse_manifest(haul.manifest(entry), entry.media_type);
      if (const auto* manifest = std::get_if<oci::Manifest>(&any); manifest && take_artifact(*manifest, entry, out))
        continue;
    }
    out.images.push_back(entry);
  }
  return out;
}

Json titles(const std::vector<Held>& held) {
  auto out = Json::array();
  for (const auto& one : held) out.push_back(one.title);
  return out;
}

StagedPart part_of(const Held& held, const ImageLayout& layout) {
  return {.path = held.title,
          .digest = held.blob,
          .origin = layout.tree()->name() + "/" + blob_path(held.blob),
          .evidence = {{"derived", {{"from", {held.manifest.text()}}}}}};
}

}  // namespace

std::optional<Found> recognise_hauler(const std::shared_ptr<const Tree>& tree, const ImportCells& cells) {
  if (!tree->has("index.json")) return std::nullopt;
  const auto text = tree->read("index.json", oci::k_max_manifest_bytes);
  const bool kinds =
      text.find("dev.hauler/") != std::string::npos || text.find("dev.cosignproject.cosign/") != std::string::npos;
  if (!kinds) return std::nullopt;
  const auto haul = std::make_shared<Haul>(tree);
  auto contents = contents_of(*haul);
  auto found = found_images(haul, "hauler", contents.images);
  found.words = fmt::format("a Hauler haul: {}, {}, {}", count_images(found), counted(contents.charts.size(), "chart"),
                            counted(contents.files.size(), "file"));
  found.preview["charts"] = titles(contents.charts);
  found.preview["files"] = titles(contents.files);
  std::move(contents.notes.begin(), contents.notes.end(), std::back_inserter(found.notes));
  found.notes.emplace_back("a haul carries no checksum and no signature of its own");
  found.make = [haul, cells, images = found.make, charts = std::move(contents.charts),
                files = std::move(contents.files)](StagedFiles& staged) {
    auto out = images(staged);
    std::set<std::string> ids;
    for (const auto& held : charts) {
      auto chart = make_chart(part_of(held, *haul), staged, cells);
      if (ids.insert(chart.id()).second) {
        out.push_back(std::move(chart));
        continue;
      }
      const auto folder = held.blob.hex().substr(0, 12);
      staged.remark(fmt::format("{} is in it twice, with different content: {} is a file, files/{}/{}",
                                printable(chart.id()), held.blob.text(), folder, printable(held.title)));
      out.push_back(make_files(held.title, "", folder, {part_of(held, *haul)}, staged));
    }
    for (const auto& held : files)
      out.push_back(make_files(held.title, "", held.folder, {part_of(held, *haul)}, staged));
    return out;
  };
  return found;
}

}  // namespace liftlock
