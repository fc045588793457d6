#include <fcntl.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/oci/docker_archive.hpp"
#include "ecosystem/oci/image_source.hpp"
#include "os/file.hpp"

namespace liftlock::oci {
namespace {

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

std::string layer_type(const DockerArchive::Member& layer) {
  const std::string_view magic(layer.magic.data(), layer.magic.size());
  std::string type(media::oci_layer);
  if (magic.starts_with("\x1F\x8B")) return type + "+gzip";
  if (magic == "\x28\xB5\x2F\xFD") return type + "+zstd";
  return type;
}

/// A `docker save` archive. Where it is an OCI layout too, the manifest that stands there is kept with its digest;
/// else one is made, always the same for the same config and layers, which stay as they are.
class ArchiveSource : public ImageSource {
 public:
  ArchiveSource(const Source& source, const fs::path& stack_folder)
      : m_written(source.path),
        m_inner(source.inner),
        m_archive(std::make_shared<DockerArchive>(open_file(stack_folder / source.path, O_RDONLY), source.path)) {
    if (!m_archive->has("manifest.json")) {
      throw Error(ErrorCode::unresolvable, m_written + " has no manifest.json",
                  "an OCI layout in a tar must be unpacked: oci:FOLDER");
    }
    m_images = parse_archive_manifest(m_archive->read("manifest.json", k_max_manifest_bytes));
    m_image = &pick(m_images, m_inner, m_written);
    m_config = m_archive->member(m_image->config).digest;
    know(m_image->config);
    for (const auto& layer : m_image->layers) know(layer);
    m_root = kept_manifest();
    if (!m_root) m_root = made_manifest();
  }

  Chosen choose() override {
    Chosen out{
        .root = *m_root, .name = {}, .version = {}, .ref = "docker-archive:" + m_written, .tag = {}, .notes = {}};
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

  std::string manifest(const Descriptor& descriptor) override {
    if (!m_made.empty() && descriptor.digest == m_root->digest) return m_made;
    return m_archive->read(name_of(descriptor.digest), k_max_manifest_bytes);
  }
  std::string config(const Descriptor& descriptor) override {
    return m_archive->read(name_of(descriptor.digest), k_max_config_bytes);
  }
  std::vector<Referrer> referrers(const Digest&) override { return {}; }

  std::string origin(const Digest& digest, Part) const override {
    if (!m_made.empty() && digest == m_root->digest) return m_written + "#manifest";
    return m_written + "#" + name_of(digest);
  }

  Evidence evidence(const Descriptor& descriptor, const Chosen& chosen) const override {
    const bool is_root = descriptor.digest == chosen.root.digest;
    if (is_root && m_made.empty()) return {"index-hash", {{"index", m_written + "#index.json"}}};
    if (descriptor.digest == *m_config) return {"first-use", {{"archive", m_written}}};
    return {"derived", {{"image_config", m_config->text()}}};
  }

  FetchJob job(const ArtifactFile& file) override {
    FetchJob out{
        .title = file.origin, .digest = file.digest, .size = file.size, .url = {}, .headers = {}, .produce = {}};
    if (!m_made.empty() && file.digest == m_root->digest) {
      out.produce = [bytes = m_made](int fd) { write_all(fd, bytes, "manifest"); };
    } else {
      out.produce = [archive = m_archive, name = name_of(file.digest)](int fd) { archive->copy(name, fd); };
    }
    return out;
  }

 private:
  void know(const std::string& name) { m_names.emplace(m_archive->member(name).digest, name); }

  std::string name_of(const Digest& digest) const {
    if (const auto found = m_names.find(digest); found != m_names.end()) return found->second;
    return "blobs/sha256/" + digest.hex();
  }

  /// The manifest of index.json whose config is the image's, when all that it names is here.
  std::optional<Descriptor> kept_manifest() {
    if (!m_archive->has("oci-layout") || !m_archive->has("index.json")) return std::nullopt;
    const auto index = parse_manifest(m_archive->read("index.json", k_max_manifest_bytes), media::oci_index);
    auto todo = std::get<Index>(index).manifests;
    for (std::size_t i = 0; i < todo.size() && i < k_max_manifests; ++i) {
      const auto descriptor = todo[i];
      const auto name = "blobs/sha256/" + descriptor.digest.hex();
      if (!m_archive->has(name)) continue;
      const auto parsed = parse_manifest(m_archive->read(name, k_max_manifest_bytes), descriptor.media_type);
      if (const auto* nested = std::get_if<Index>(&parsed)) {
        todo.insert(todo.end(), nested->manifests.begin(), nested->manifests.end());
        continue;
      }
      const auto& manifest = std::get<Manifest>(parsed);
      const auto here = [&](const Descriptor& blob) { return m_archive->has("blobs/sha256/" + blob.digest.hex()); };
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

  Descriptor made_manifest() {
    const auto& config = m_archive->member(m_image->config);
    const auto parsed = parse_image_config(m_archive->read(m_image->config, k_max_config_bytes));
    if (parsed.diff_ids.size() != m_image->layers.size()) {
      fail(ErrorCode::image_malformed, "{}: {} layers, but the config names {} diff_ids", m_written,
           m_image->layers.size(), parsed.diff_ids.size());
    }
    auto layers = Json::array();
    for (std::size_t i = 0; i < m_image->layers.size(); ++i) {
      const auto& layer = m_archive->member(m_image->layers[i]);
      const auto type = layer_type(layer);
      if (type == media::oci_layer && layer.digest != parsed.diff_ids[i]) {
        fail(ErrorCode::digest_mismatch, "{}: layer {} is {}, the config says {}", m_written, i + 1,
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

  std::string m_written;
  std::string m_inner;
  std::shared_ptr<const DockerArchive> m_archive;
  std::vector<ArchivedImage> m_images;
  const ArchivedImage* m_image = nullptr;
  std::optional<Digest> m_config;
  std::optional<Descriptor> m_root;
  std::string m_made;  ///< bytes of the manifest that was made; empty when the archive's own is kept
  std::map<Digest, std::string> m_names;
};

}  // namespace

std::unique_ptr<ImageSource> make_archive_source(const Source& source, CollectContext& context) {
  return std::make_unique<ArchiveSource>(source, context.stack_folder);
}

}  // namespace liftlock::oci
