#include "intake/image_layout.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

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
const std::string k_only_layout = R"({"imageLayoutVersion":"1.0.0"})";

bool has_cosign_tag(const oci::Descriptor& descriptor) {
  const auto name = oci::LayoutReader::name_of(descriptor);
  const auto tag = name.substr(name.rfind(':') + 1);
  return std::any_of(oci::k_cosign_suffixes.begin(), oci::k_cosign_suffixes.end(),
                     [&](auto suffix) { return tag.starts_with("sha256-") && tag.ends_with(suffix); });
}

/// The host of a whole reference; empty where it names none.
std::string host_of(const oci::Descriptor& descriptor) {
  const auto name = oci::LayoutReader::name_of(descriptor);
  try {
    return oci::parse_reference(name).host;
  } catch (const Error&) {
    return {};  // a bare tag, say
  }
}

/// "registry.example:5000" and "site/app" → "registry.example-5000/site/app"
std::string name_below_host(const std::string& host, const std::string& name) {
  auto folder = to_lower(host);
  std::replace(folder.begin(), folder.end(), ':', '-');
  return (oci::is_repository(folder) ? folder : repository_name(host)) + "/" + name;
}

struct NamedImage {
  oci::Chosen chosen;
  std::string host;
};

bool is_other_under_its_name(const NamedImage& one, const NamedImage& other) {
  return one.chosen.name == other.chosen.name && one.chosen.version == other.chosen.version &&
         one.chosen.root.digest != other.chosen.root.digest;
}

/// Each image once. Those that differ in their hosts alone have these in their names: none takes another's place.
std::vector<oci::Chosen> told_apart(const std::vector<NamedImage>& images, std::vector<std::string>& notes) {
  std::vector<oci::Chosen> out;
  std::set<std::tuple<std::string, std::string, Digest>> seen;
  for (const auto& image : images) {
    auto chosen = image.chosen;
    const auto is_other = [&](const NamedImage& other) {
      return is_other_under_its_name(image, other) && image.host != other.host;
    };
    if (!image.host.empty() && std::any_of(images.begin(), images.end(), is_other)) {
      chosen.name = name_below_host(image.host, chosen.name);
      notes.push_back(fmt::format("several images are called '{}:{}': that of {} is '{}' here",
                                  printable(image.chosen.name), printable(chosen.version), printable(image.host),
                                  printable(chosen.name)));
    }
    if (seen.emplace(chosen.name, chosen.version, chosen.root.digest).second) out.push_back(std::move(chosen));
  }
  return out;
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
          Documents{tree, tree->has("oci-layout") ? tree->read("oci-layout", 4096) : k_only_layout,
                    tree->read("index.json", oci::k_max_manifest_bytes)})) {}

ImageLayout::ImageLayout(std::shared_ptr<const Documents> documents)
    : oci::LayoutReader(
          documents->tree->name(), "",
          [documents](const std::string& path, std::uint64_t most) { return documents->read(path, most); }),
      m_documents(std::move(documents)) {}

std::vector<WantedFile> ImageLayout::documents() const {
  const std::string by = "what was read of it";
  std::vector<WantedFile> out = {{tree(), "index.json", sha256(m_documents->index), by}};
  if (tree()->has("oci-layout")) out.push_back({tree(), "oci-layout", sha256(m_documents->layout), by});
  return out;
}

bool ImageLayout::is_attachment(const oci::Descriptor& descriptor) {
  if (has_cosign_tag(descriptor)) return true;
  // Without a name it may be what refers to another: a signature, an SBOM.
  return name_of(descriptor).empty() && index().manifests.size() > 1 &&
         oci::subject_of(oci::parse_manifest(manifest(descriptor), descriptor.media_type));
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
  // What is attached to an image is found from there.
  for (const auto& descriptor : layout.index().manifests) {
    if (!layout.is_attachment(descriptor)) out.push_back(descriptor);
  }
  return out;
}

Found found_images(const std::shared_ptr<ImageLayout>& layout, std::string shape,
                   const std::vector<oci::Descriptor>& entries) {
  const auto fallback = repository_name(plain_title(*layout->tree()));
  std::vector<NamedImage> named;
  for (const auto& descriptor : entries) {
    named.push_back({layout->chosen(descriptor), host_of(descriptor)});
    if (named.back().chosen.name.empty()) named.back().chosen.name = fallback;
  }
  Found found{.shape = std::move(shape), .preview = {{"images", Json::array()}}};
  const auto images = told_apart(named, found.notes);
  for (const auto& image : images) {
    found.preview["images"].push_back(
        {{"name", image.name}, {"version", image.version}, {"digest", image.root.digest.text()}});
  }
  found.files = layout->blobs();
  found.checked = layout->documents();
  found.make = [layout, images](StagedFiles& staged) {
    std::vector<Artifact> out;
    std::set<Digest> taken;
    for (const auto& image : images) {
      out.push_back(oci::gather_image(*layout, image, {}, [&](std::string_view bytes) { staged.keep(bytes); }));
      for (const auto& file : out.back().files) {
        if (!staged.has(file.digest))
          fail(ErrorCode::missing_file, "{}: {} is not in the layout", printable(image.ref), file.digest.text());
        taken.insert(file.digest);
      }
    }
    for (const auto& descriptor : layout->index().manifests) {
      if (!taken.contains(descriptor.digest) && layout->is_attachment(descriptor))
        staged.remark(fmt::format("{} ({}) is attached to no image of it, and is left out", descriptor.digest.text(),
                                  printable(oci::LayoutReader::name_of(descriptor))));
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
