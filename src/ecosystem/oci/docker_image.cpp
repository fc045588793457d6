#include "ecosystem/oci/docker_image.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"

namespace liftlock::oci {
namespace {

constexpr std::size_t k_max_images = 1024;
constexpr std::size_t k_max_name = 1024;

std::vector<std::string> strings(const Json& image, std::string_view key, std::size_t limit) {
  std::vector<std::string> out;
  const auto found = image.find(std::string(key));
  if (found == image.end() || found->is_null()) return out;
  if (!found->is_array() || found->size() > limit) fail(ErrorCode::image_malformed, "manifest.json: '{}'", key);
  for (const auto& value : *found) {
    if (!value.is_string()) fail(ErrorCode::schema_violation, "manifest.json: '{}' must hold strings", key);
    out.push_back(value.get<std::string>());
  }
  return out;
}

std::string with_tag(const std::string& reference) {
  const auto colon = reference.rfind(':');
  const auto slash = reference.rfind('/');
  const bool tagged = colon != std::string::npos && (slash == std::string::npos || colon > slash);
  return tagged ? reference : reference + ":latest";
}

/// The image that `inner` means: "@2", a tag, or the only one.
const ArchivedImage& pick(const std::vector<ArchivedImage>& images, const std::string& inner, const std::string& what) {
  if (inner.starts_with('@')) {
    const auto number = parse_uint(std::string_view(inner).substr(1));
    if (number && *number < images.size()) return images[*number];
  } else if (!inner.empty()) {
    for (const auto& image : images) {
      for (const auto& tag : image.tags) {
        if (tag == with_tag(inner)) return image;
      }
    }
  } else if (images.size() == 1) {
    return images.front();
  }
  std::vector<std::string> known;
  for (std::size_t i = 0; i < images.size(); ++i)
    known.push_back(images[i].tags.empty() ? fmt::format("@{}", i) : images[i].tags.front());
  throw Error(ErrorCode::unresolvable,
              fmt::format("{} holds {} images; '{}' is none of them", what, images.size(), printable(inner)),
              fmt::format("write docker-archive:{}:REF with one of: {}", what,
                          printable(fmt::format("{}", fmt::join(known, ", ")))));
}

std::string layer_type(const ArchiveMember& layer) {
  const std::string_view magic(layer.magic.data(), layer.magic.size());
  std::string type(media::oci_layer);
  if (magic.starts_with("\x1F\x8B")) return type + "+gzip";
  if (magic == "\x28\xB5\x2F\xFD") return type + "+zstd";
  return type;
}

}  // namespace

std::string plain_member_name(std::string_view name) {
  while (name.starts_with("./")) name.remove_prefix(2);
  while (name.ends_with('/')) name.remove_suffix(1);
  if (name.size() > k_max_name || name.starts_with('/')) return {};
  for (const auto part : split(name, '/')) {
    if (part == "..") return {};
  }
  return std::string(name);
}

std::vector<ArchivedImage> parse_archive_manifest(std::string_view text) {
  const auto json = parse_json(text, {.max_bytes = k_max_manifest_bytes, .max_depth = 16});
  if (!json.is_array() || json.empty() || json.size() > k_max_images) {
    fail(ErrorCode::image_malformed, "manifest.json must be an array of 1 to {} images", k_max_images);
  }
  std::vector<ArchivedImage> out;
  for (const auto& image : json) {
    ArchivedImage one{.config = plain_member_name(string_member(image, "Config", "manifest.json")),
                      .layers = strings(image, "Layers", k_max_layers),
                      .tags = strings(image, "RepoTags", k_max_images)};
    for (auto& layer : one.layers) layer = plain_member_name(layer);
    if (one.config.empty() || std::find(one.layers.begin(), one.layers.end(), "") != one.layers.end()) {
      fail(ErrorCode::image_malformed, "manifest.json names members that cannot be");
    }
    out.push_back(std::move(one));
  }
  return out;
}

DockerImage::DockerImage(const ArchiveMembers& members, std::string inner)
    : m_members(members), m_inner(std::move(inner)) {
  if (!m_members.has("manifest.json")) {
    throw Error(ErrorCode::unresolvable, m_members.what() + " has no manifest.json",
                "an OCI layout in a tar must be unpacked: oci:FOLDER");
  }
  m_images = parse_archive_manifest(m_members.read("manifest.json", k_max_manifest_bytes));
  m_image = &pick(m_images, m_inner, m_members.what());
  m_config = m_members.member(m_image->config).digest;
  know(m_image->config);
  for (const auto& layer : m_image->layers) know(layer);
  m_root = find_kept();
  if (!m_root) m_root = make_manifest();
}

Chosen DockerImage::choose() {
  Chosen out{
      .root = *m_root, .name = {}, .version = {}, .ref = "docker-archive:" + m_members.what(), .tag = {}, .notes = {}};
  const auto tag = !m_inner.empty() && !m_inner.starts_with('@') ? with_tag(m_inner)
                   : m_image->tags.empty()                       ? std::string()
                                                                 : m_image->tags.front();
  if (!tag.empty()) {
    const auto reference = parse_reference(tag);
    out.name = reference.repository;
    out.version = reference.version();
    out.ref += ":" + tag;
  } else {
    out.version = m_root->digest.text();
  }
  if (m_made.empty()) {
    out.notes.push_back(fmt::format("{} keeps the manifest {} of the archive", out.ref, m_root->digest.text()));
  } else {
    out.notes.push_back(fmt::format("{} has no registry digest; its image config is {}", out.ref, m_config->text()));
  }
  return out;
}

std::string DockerImage::manifest(const Descriptor& descriptor) {
  if (!m_made.empty() && descriptor.digest == m_root->digest) return m_made;
  return m_members.read(name_of(descriptor.digest), k_max_manifest_bytes);
}
std::string DockerImage::config(const Descriptor& descriptor) {
  return m_members.read(name_of(descriptor.digest), k_max_config_bytes);
}
std::string DockerImage::origin(const Digest& digest, Part) const {
  if (!m_made.empty() && digest == m_root->digest) return m_members.what() + "#manifest";
  return m_members.what() + "#" + name_of(digest);
}

Evidence DockerImage::evidence(const Descriptor& descriptor, const Chosen& chosen) const {
  const bool is_root = descriptor.digest == chosen.root.digest;
  if (is_root && m_made.empty()) return {"index-hash", {{"index", m_members.what() + "#index.json"}}};
  if (descriptor.digest == *m_config) return {"first-use", {{"archive", m_members.what()}}};
  return {"derived", {{"image_config", m_config->text()}}};
}

std::string DockerImage::name_of(const Digest& digest) const {
  if (const auto found = m_names.find(digest); found != m_names.end()) return found->second;
  return "blobs/sha256/" + digest.hex();
}

/// The manifest of index.json whose config is the image's, when all that it names is here.
std::optional<Descriptor> DockerImage::find_kept() const {
  if (!m_members.has("oci-layout") || !m_members.has("index.json")) return std::nullopt;
  const auto index = parse_manifest(m_members.read("index.json", k_max_manifest_bytes), media::oci_index);
  auto todo = std::get<Index>(index).manifests;
  for (std::size_t i = 0; i < todo.size() && i < k_max_manifests; ++i) {
    const auto descriptor = todo[i];
    const auto name = "blobs/sha256/" + descriptor.digest.hex();
    if (!m_members.has(name)) continue;
    const auto parsed = parse_manifest(m_members.read(name, k_max_manifest_bytes), descriptor.media_type);
    if (const auto* nested = std::get_if<Index>(&parsed)) {
      todo.insert(todo.end(), nested->manifests.begin(), nested->manifests.end());
      continue;
    }
    const auto& manifest = std::get<Manifest>(parsed);
    const auto here = [&](const Descriptor& blob) { return m_members.has("blobs/sha256/" + blob.digest.hex()); };
    if (manifest.config.digest != *m_config || !std::all_of(manifest.layers.begin(), manifest.layers.end(), here))
      continue;
    Descriptor out{.media_type = media_type_of(parsed),
                   .digest = descriptor.digest,
                   .size = descriptor.size,
                   .platform = std::nullopt,
                   .artifact_type = {},
                   .annotations = {}};
    return out;
  }
  return std::nullopt;
}

Descriptor DockerImage::make_manifest() {
  const auto config = m_members.member(m_image->config);
  const auto parsed = parse_image_config(m_members.read(m_image->config, k_max_config_bytes));
  if (parsed.diff_ids.size() != m_image->layers.size()) {
    fail(ErrorCode::image_malformed, "{}: {} layers, but the config names {} diff_ids", m_members.what(),
         m_image->layers.size(), parsed.diff_ids.size());
  }
  auto layers = Json::array();
  for (std::size_t i = 0; i < m_image->layers.size(); ++i) {
    const auto layer = m_members.member(m_image->layers[i]);
    const auto type = layer_type(layer);
    if (type == media::oci_layer && layer.digest != parsed.diff_ids[i]) {
      fail(ErrorCode::digest_mismatch, "{}: layer {} is {}, the config says {}", m_members.what(), i + 1,
           layer.digest.text(), parsed.diff_ids[i].text());
    }
    layers.push_back({{"mediaType", type}, {"digest", layer.digest.text()}, {"size", layer.size}});
  }
  m_made = dump_json_line(
      {{"schemaVersion", 2},
       {"mediaType", media::oci_manifest},
       {"config", {{"mediaType", media::oci_config}, {"digest", config.digest.text()}, {"size", config.size}}},
       {"layers", std::move(layers)}});
  return {.media_type = std::string(media::oci_manifest),
          .digest = sha256(m_made),
          .size = m_made.size(),
          .platform = std::nullopt,
          .artifact_type = {},
          .annotations = {}};
}

}  // namespace liftlock::oci
