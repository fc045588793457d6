#include "intake/image_layout.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/oci/gather.hpp"
#include "intake/listing.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_blobs = "blobs/sha256/";

bool is_attached(const oci::Descriptor& descriptor) {
  const auto name = oci::LayoutReader::name_of(descriptor);
  const auto tag = name.substr(name.rfind(':') + 1);
  return std::any_of(oci::k_cosign_suffixes.begin(), oci::k_cosign_suffixes.end(),
                     [&](auto suffix) { return tag.starts_with("sha256-") && tag.ends_with(suffix); });
}

}  // namespace

bool is_layout(const Tree& tree) {
  return tree.has("oci-layout") && tree.has("index.json");
}

bool is_blob_path(std::string_view path) {
  return path.starts_with(k_blobs) && Digest::try_parse("sha256:" + std::string(path.substr(k_blobs.size())));
}

std::string blob_path(const Digest& digest) {
  return std::string(k_blobs) + digest.hex();
}

std::string ImageLayout::Documents::read(const std::string& path, std::uint64_t max_bytes) const {
  if (path == "oci-layout") return layout;
  if (path == "index.json") return index;
  auto text = tree->read(path, max_bytes);
  if (!is_blob_path(path) || sha256(text).hex() != path.substr(k_blobs.size()))
    fail(ErrorCode::digest_mismatch, "'{}' is not what its name says", printable(path));
  return text;
}

ImageLayout::ImageLayout(const std::shared_ptr<const Tree>& tree)
    : ImageLayout(std::make_shared<const Documents>(
          Documents{tree, tree->read("oci-layout", 4096), tree->read("index.json", oci::k_max_manifest_bytes)})) {}

ImageLayout::ImageLayout(std::shared_ptr<const Documents> documents)
    : oci::LayoutReader(
          documents->tree->name(), "",
          [documents](const std::string& path, std::uint64_t most) { return documents->read(path, most); }),
      m_documents(std::move(documents)) {}

std::vector<WantedFile> ImageLayout::documents() const {
  const std::string by = "what was read of it";
  return {{tree(), "index.json", sha256(m_documents->index), by},
          {tree(), "oci-layout", sha256(m_documents->layout), by}};
}

std::vector<WantedFile> ImageLayout::blobs() const {
  std::vector<WantedFile> out;
  for (const auto& path : tree()->paths()) {
    if (!is_blob_path(path)) continue;
    out.push_back({tree(), path, Digest::parse_sha256_hex(path.substr(k_blobs.size())), "the name of the blob"});
  }
  return out;
}

std::vector<oci::Descriptor> image_entries(ImageLayout& layout) {
  std::vector<oci::Descriptor> out;
  const auto& entries = layout.index().manifests;
  for (const auto& descriptor : entries) {
    // What is attached to an image is found from there.
    if (is_attached(descriptor)) continue;
    // Without a name it may be what refers to another: a signature, an SBOM.
    if (oci::LayoutReader::name_of(descriptor).empty() && entries.size() > 1 &&
        oci::subject_of(oci::parse_manifest(layout.manifest(descriptor), descriptor.media_type)))
      continue;
    out.push_back(descriptor);
  }
  return out;
}

Found found_images(const std::shared_ptr<ImageLayout>& layout, std::string shape,
                   const std::vector<oci::Descriptor>& entries) {
  const auto fallback = repository_name(plain_title(*layout->tree()));
  std::vector<oci::Chosen> images;
  std::set<std::pair<std::string, std::string>> seen;
  for (const auto& descriptor : entries) {
    auto chosen = layout->chosen(descriptor);
    if (chosen.name.empty()) chosen.name = fallback;
    if (seen.emplace(chosen.name, chosen.version).second) images.push_back(std::move(chosen));
  }
  Found found{.shape = std::move(shape), .preview = {{"images", Json::array()}}};
  for (const auto& image : images) {
    found.preview["images"].push_back(
        {{"name", image.name}, {"version", image.version}, {"digest", image.root.digest.text()}});
  }
  found.files = layout->blobs();
  found.checked = layout->documents();
  found.make = [layout, images = std::move(images)](StagedFiles& staged) {
    std::vector<Artifact> out;
    for (const auto& image : images) {
      out.push_back(oci::gather_image(*layout, image, {}, [&](std::string_view bytes) { staged.keep(bytes); }));
      for (const auto& file : out.back().files) {
        if (!staged.has(file.digest))
          fail(ErrorCode::missing_file, "{}: {} is not in the layout", printable(image.ref), file.digest.text());
      }
    }
    return out;
  };
  return found;
}

std::string count_images(const Found& found) {
  return counted(found.preview["images"].size(), "image");
}

std::string repository_name(std::string_view title) {
  std::string out;
  for (const char c : to_lower(title)) {
    const bool fits = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (fits) {
      out += c;
    } else if (!out.empty() && out.back() != '-') {
      out += '-';
    }
  }
  while (out.ends_with('-')) out.pop_back();
  return out.empty() ? "image" : out;
}

}  // namespace liftlock
