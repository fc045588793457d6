#include "ecosystem/oci/inspector.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <set>

#include "base/encoding.hpp"
#include "ecosystem/oci/image.hpp"
#include "os/file.hpp"

namespace liftlock::oci {
namespace {

constexpr std::array k_kinds = {k_image_kind};
constexpr std::size_t k_max_findings = 100;
constexpr int k_max_index_depth = 4;
/// Below that a layer is read with its image: to ask for it alone would cost more than it saves.
constexpr std::uint64_t k_alone_from = 256u << 10;

struct Blob {
  int fd;
  const ArtifactFile* file;
  bool used = false;
};

Inspection inspect_layer(int file, const LayerLimits& limits) {
  Inspection out;
  try {
    const auto report = scan_layer(file, limits);
    for (const auto& problem : report.problems) out.findings.push_back({problem.code, "", problem.message});
    out.facts = {{"diff_id", report.diff_id.text()},
                 {"bytes", report.bytes},
                 {"entries", report.entries},
                 {"devices", report.devices},
                 {"set_id", report.set_id}};
    if (!report.hidden.empty()) out.facts[k_hidden_marks] = report.hidden.json();
  } catch (const Error& error) {
    out.findings.push_back({error.code(), "", error.message()});
  }
  return out;
}

/// One inspection: a walk from the root and the referrers over what they name.
class Walk {
 public:
  Walk(const Artifact& artifact, std::span<const int> files, const FileInspections& inspected,
       const LayerLimits& limits)
      : m_artifact(artifact), m_inspected(inspected), m_limits(limits) {
    for (std::size_t i = 0; i < files.size(); ++i) {
      const auto& file = artifact.files[i];
      if (file.path != blob_path(file.digest))
        find(ErrorCode::image_malformed, file.path.text(), "the file does not stand under its digest");
      m_blobs.emplace(file.digest, Blob{files[i], &file});
    }
  }

  Inspection run() {
    try {
      m_image = parse_image_facts(m_artifact.facts);
    } catch (const Error& error) {
      find(error.code(), "", error.message());
      return std::move(m_result);
    }
    walk_manifest(m_image->manifest, 0, Need::present);
    for (const auto& referrer : m_image->referrers) walk_manifest(referrer.manifest, 0, Need::present);
    for (const auto& [digest, blob] : m_blobs) {
      if (!blob.used)
        find(ErrorCode::image_malformed, blob.file->path.text(), "nothing of the image refers to this file");
    }
    m_result.facts = {{"manifests", m_manifests}, {"layers", m_layers.size()}, {"unpacked_bytes", m_unpacked},
                      {"entries", m_entries},     {"devices", m_devices},      {"set_id", m_set_id},
                      {"platforms", m_platforms}};
    if (!m_hidden.empty()) m_result.facts[k_hidden_marks] = m_hidden.json();
    return std::move(m_result);
  }

 private:
  enum class Need { present, may_be_left_out };

  void find(ErrorCode code, std::string path, std::string message) {
    if (m_result.findings.size() < k_max_findings)
      m_result.findings.push_back({code, std::move(path), std::move(message)});
  }

  /// The file that a descriptor names; nullptr, with a finding where it is one, when it cannot be used.
  Blob* use(const Descriptor& descriptor, std::string_view what, Need need) {
    const auto found = m_blobs.find(descriptor.digest);
    if (found == m_blobs.end()) {
      const auto& left_out = m_image->left_out;
      const bool chosen_away = std::find(left_out.begin(), left_out.end(), descriptor.digest) != left_out.end();
      if (need == Need::present || !chosen_away) {
        find(ErrorCode::image_malformed, "", fmt::format("{} {} is missing", what, descriptor.digest.text()));
      }
      return nullptr;
    }
    auto& blob = found->second;
    blob.used = true;
    if (blob.file->size != descriptor.size) {
      find(ErrorCode::size_mismatch, blob.file->path.text(),
           fmt::format("{} has {} bytes; its descriptor says {}", what, blob.file->size, descriptor.size));
      return nullptr;
    }
    return &blob;
  }

  void walk_manifest(const Descriptor& descriptor, int depth, Need need) {
    auto* blob = use(descriptor, "the manifest", need);
    if (blob == nullptr || !m_seen.emplace(descriptor.digest, descriptor.media_type).second) return;
    const auto path = blob->file->path.text();
    try {
      if (depth > k_max_index_depth)
        fail(ErrorCode::limit_exceeded, "indexes nested deeper than {}", k_max_index_depth);
      const auto parsed = parse_manifest(read_all(blob->fd, k_max_manifest_bytes, path), descriptor.media_type);
      ++m_manifests;
      if (const auto* index = std::get_if<Index>(&parsed)) {
        for (const auto& child : index->manifests) walk_manifest(child, depth + 1, Need::may_be_left_out);
      } else {
        walk_layers(std::get<Manifest>(parsed), path);
      }
    } catch (const Error& error) {
      find(error.code(), path, error.message());
    }
  }

  void walk_layers(const Manifest& manifest, const std::string& path) {
    std::vector<Digest> diff_ids;
    auto* config = use(manifest.config, "the config", Need::present);
    const bool tar_layers = std::any_of(manifest.layers.begin(), manifest.layers.end(),
                                        [](const auto& layer) { return media::is_layer(layer.media_type); });
    // Signatures borrow the type of an image config for what is none: it only counts where there are tar layers.
    const bool is_image = media::is_config(manifest.config.media_type) && tar_layers;
    if (config != nullptr && is_image) {
      const auto parsed = parse_image_config(read_all(config->fd, k_max_config_bytes, config->file->path.text()));
      if (!parsed.platform.os.empty()) m_platforms.insert(parsed.platform.text());
      diff_ids = parsed.diff_ids;
      if (diff_ids.size() != manifest.layers.size()) {
        find(ErrorCode::image_malformed, path,
             fmt::format("{} layers, but the config names {} diff_ids", manifest.layers.size(), diff_ids.size()));
      }
    }
    HiddenMarks hidden;
    for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
      const auto& layer = manifest.layers[i];
      const auto what = fmt::format("layer {} of {}", i + 1, manifest.layers.size());
      auto* blob = use(layer, what, Need::present);
      if (blob == nullptr || !media::is_layer(layer.media_type)) continue;
      const auto diff_id = scan(*blob, what);
      if (diff_id && i < diff_ids.size() && *diff_id != diff_ids[i]) {
        find(ErrorCode::digest_mismatch, blob->file->path.text(),
             fmt::format("{}, uncompressed, is {}; the config says {}", what, diff_id->text(), diff_ids[i].text()));
      }
      if (const auto marks = m_layer_marks.find(layer.digest); marks != m_layer_marks.end())
        hidden.stack(marks->second);
    }
    m_hidden.join(hidden);
  }

  /// Each layer counts once, however many manifests share it.
  std::optional<Digest> scan(const Blob& blob, const std::string& what) {
    const auto known = m_layers.find(blob.file->digest);
    if (known != m_layers.end()) return known->second;
    const auto alone = m_inspected.find(blob.file->digest);
    const auto layer = alone != m_inspected.end() ? alone->second : inspect_layer(blob.fd, m_limits);
    for (const auto& finding : layer.findings)
      find(finding.code, blob.file->path.text(), fmt::format("{}: {}", what, finding.message));
    std::optional<Digest> diff_id;
    if (!layer.facts.empty()) {
      constexpr std::string_view where = "what is known of a layer";
      diff_id = Digest::parse(string_member(layer.facts, "diff_id", where));
      m_unpacked += uint_member(layer.facts, "bytes", where);
      m_entries += uint_member(layer.facts, "entries", where);
      m_devices += uint_member(layer.facts, "devices", where);
      m_set_id += uint_member(layer.facts, "set_id", where);
      if (const auto marks = layer.facts.find(k_hidden_marks); marks != layer.facts.end())
        m_layer_marks.emplace(blob.file->digest, HiddenMarks::parse(*marks));
    }
    m_layers.emplace(blob.file->digest, diff_id);
    return diff_id;
  }

  const Artifact& m_artifact;
  const FileInspections& m_inspected;
  const LayerLimits& m_limits;
  std::map<Digest, Blob> m_blobs;
  std::optional<ImageFacts> m_image;
  std::set<std::pair<Digest, std::string>> m_seen;
  std::map<Digest, std::optional<Digest>> m_layers;
  std::map<Digest, HiddenMarks> m_layer_marks;
  HiddenMarks m_hidden;
  std::set<std::string> m_platforms;
  std::uint64_t m_manifests = 0, m_unpacked = 0, m_entries = 0, m_devices = 0, m_set_id = 0;
  Inspection m_result;
};

}  // namespace

std::span<const std::string_view> ImageInspector::kinds() const {
  return k_kinds;
}

Inspection ImageInspector::inspect(const Artifact& artifact, std::span<const int> files) const {
  return inspect_rest(artifact, files, {});
}

bool ImageInspector::stands_alone(const Artifact& artifact, std::size_t index) const {
  return artifact.files[index].size >= k_alone_from;
}

Inspection ImageInspector::inspect_file(int file) const {
  return inspect_layer(file, m_limits);
}

Inspection ImageInspector::inspect_rest(const Artifact& artifact, std::span<const int> files,
                                        const FileInspections& inspected) const {
  return Walk(artifact, files, inspected, m_limits).run();
}

}  // namespace liftlock::oci
