#include "ecosystem/oci/gather.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "base/error.hpp"
#include "crypto/hash.hpp"

namespace liftlock::oci {
namespace {

constexpr std::size_t k_max_files = 10'000;
constexpr int k_max_index_depth = 4;
constexpr const char* k_license = "org.opencontainers.image.licenses";

class Gathering {
 public:
  Gathering(ImageReader& reader, const Chosen& chosen, const PlatformChoice& choice,
            const std::function<void(std::string_view)>& keep)
      : m_reader(reader), m_chosen(chosen), m_choice(choice), m_keep(keep) {}

  Artifact run() {
    take_manifest(m_chosen.root, Role::image, 0);
    for (const auto& platform : m_choice.wanted) {
      if (m_is_container && !m_matched.contains(platform)) refuse(platform);
    }
    take_referrers();
    return finish();
  }

 private:
  enum class Role : std::uint8_t { image, chosen_image, referrer };

  /// Bytes of a small document, checked and kept.
  std::string document(const Descriptor& descriptor, ImageReader::Part part) {
    auto bytes = part == ImageReader::Part::manifest ? m_reader.manifest(descriptor) : m_reader.config(descriptor);
    if (bytes.size() != descriptor.size) {
      fail(ErrorCode::size_mismatch, "{} has {} bytes; its descriptor says {}", descriptor.digest.text(), bytes.size(),
           descriptor.size);
    }
    if (const auto actual = sha256(bytes); actual != descriptor.digest) {
      fail(ErrorCode::digest_mismatch, "{} hashes to {}", descriptor.digest.text(), actual.text());
    }
    m_keep(bytes);
    add_file(descriptor, part);
    return bytes;
  }

  void add_file(const Descriptor& descriptor, ImageReader::Part part) {
    const auto [place, fresh] =
        m_files.try_emplace(descriptor.digest, ArtifactFile{.path = blob_path(descriptor.digest),
                                                            .size = descriptor.size,
                                                            .digest = descriptor.digest,
                                                            .origin = m_reader.origin(descriptor.digest, part),
                                                            .evidence = {m_reader.evidence(descriptor, m_chosen)}});
    if (!fresh && place->second.size != descriptor.size) {
      fail(ErrorCode::image_malformed, "{} is said to have {} and {} bytes", descriptor.digest.text(),
           place->second.size, descriptor.size);
    }
    if (m_files.size() > k_max_files) fail(ErrorCode::limit_exceeded, "the image has more than {} files", k_max_files);
  }

  void take_manifest(const Descriptor& descriptor, Role role, int depth) {
    if (depth > k_max_index_depth) fail(ErrorCode::limit_exceeded, "indexes nested deeper than {}", k_max_index_depth);
    if (!m_taken.insert(descriptor.digest).second) return;
    const auto parsed = parse_manifest(document(descriptor, ImageReader::Part::manifest), descriptor.media_type);
    note_license(annotations_of(parsed));
    m_subjects.push_back(descriptor.digest);
    if (const auto* index = std::get_if<Index>(&parsed)) {
      take_index(*index, role, depth);
    } else {
      take_image(std::get<Manifest>(parsed), descriptor, role);
    }
  }

  void take_index(const Index& index, Role role, int depth) {
    std::set<Digest> taken;
    for (const auto& child : index.manifests) {
      if (!child.annotation(k_attests).empty()) continue;
      if (role == Role::image && child.platform && !wants(*child.platform)) continue;
      taken.insert(child.digest);
      take_manifest(child, role == Role::image && child.platform ? Role::chosen_image : role, depth + 1);
    }
    for (const auto& child : index.manifests) {
      const auto of = Digest::try_parse(child.annotation(k_attests));
      if (of && (taken.contains(*of) || m_choice.wanted.empty())) {
        take_manifest(child, Role::referrer, depth + 1);
      } else if (!taken.contains(child.digest)) {
        m_left_out.insert(child.digest);
      }
    }
  }

  bool wants(const Platform& platform) {
    m_available.insert(platform.text());
    if (m_choice.wanted.empty()) return true;
    m_is_container = true;
    bool any = false;
    for (const auto& wanted : m_choice.wanted) {
      if (!wanted.accepts(platform)) continue;
      m_matched.insert(wanted);
      any = true;
    }
    return any;
  }

  void take_image(const Manifest& manifest, const Descriptor& descriptor, Role role) {
    const bool tar_layers = std::any_of(manifest.layers.begin(), manifest.layers.end(),
                                        [](const auto& layer) { return media::is_layer(layer.media_type); });
    if (media::is_config(manifest.config.media_type) && manifest.config.size <= k_max_config_bytes) {
      const auto bytes = document(manifest.config, ImageReader::Part::blob);
      if (role != Role::referrer && tar_layers) note_config(parse_image_config(bytes), descriptor, role);
    } else {
      add_file(manifest.config, ImageReader::Part::blob);
    }
    for (const auto& layer : manifest.layers) add_file(layer, ImageReader::Part::blob);
  }

  void note_config(const ImageConfig& config, const Descriptor& descriptor, Role role) {
    note_license(config.labels);
    // Without an index only the config says what machine the image is for.
    if (role == Role::image && !config.platform.os.empty() && !wants(config.platform)) {
      refuse(m_choice.wanted.front());
    }
    m_platforms.insert(descriptor.platform ? descriptor.platform->text() : config.platform.text());
  }

  [[noreturn]] void refuse(const Platform& platform) const {
    throw Error(
        ErrorCode::unresolvable,
        fmt::format("{} has no image for {}; it has {}", m_chosen.ref, platform.text(), fmt::join(m_available, ", ")),
        "name one of these with platforms = [\"…\"], or take them all with platforms = [\"all\"]");
  }

  void note_license(const std::map<std::string, std::string>& words) {
    const auto found = words.find(k_license);
    if (m_license.empty() && found != words.end() && found->second.size() <= 512) m_license = found->second;
  }

  void take_referrers() {
    // m_subjects grows while signatures of SBOMs and the like are found.
    for (std::size_t i = 0; i < m_subjects.size(); ++i) {
      const auto subject = m_subjects[i];
      for (auto& referrer : m_reader.referrers(subject)) {
        referrer.manifest.annotations.clear();
        referrer.manifest.platform.reset();
        take_manifest(referrer.manifest, Role::referrer, 0);
        m_referrers.push_back(std::move(referrer));
      }
    }
    const auto key = [](const Referrer& r) { return std::tie(r.manifest.digest, r.tag, r.subject); };
    std::sort(m_referrers.begin(), m_referrers.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
    const auto same = [&](const auto& a, const auto& b) { return key(a) == key(b); };
    m_referrers.erase(std::unique(m_referrers.begin(), m_referrers.end(), same), m_referrers.end());
  }

  Artifact finish() {
    auto root = m_chosen.root;
    root.platform.reset();
    root.annotations.clear();
    ImageFacts facts{.ref = m_chosen.ref,
                     .manifest = root,
                     .platforms = {m_platforms.begin(), m_platforms.end()},
                     .left_out = {},
                     .referrers = std::move(m_referrers)};
    for (const auto& digest : m_left_out) {
      if (!m_files.contains(digest)) facts.left_out.push_back(digest);
    }
    Artifact out{.kind = std::string(k_image_kind),
                 .name = m_chosen.name,
                 .version = m_chosen.version,
                 .license = m_license,
                 .facts = image_facts_json(facts),
                 .needs = {},
                 .files = {}};
    for (auto& [digest, file] : m_files) out.files.push_back(std::move(file));
    std::sort(out.files.begin(), out.files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
    return out;
  }

  ImageReader& m_reader;
  const Chosen& m_chosen;
  const PlatformChoice& m_choice;
  const std::function<void(std::string_view)>& m_keep;
  std::map<Digest, ArtifactFile> m_files;
  std::set<Digest> m_taken, m_left_out;
  std::vector<Digest> m_subjects;
  std::set<std::string> m_platforms, m_available;
  std::set<Platform> m_matched;
  std::vector<Referrer> m_referrers;
  std::string m_license;
  bool m_is_container = false;  ///< platforms mean something here
};

}  // namespace

std::string cosign_tag(const Digest& subject, std::string_view suffix) {
  return "sha256-" + subject.hex() + std::string(suffix);
}

Artifact gather_image(ImageReader& reader, const Chosen& chosen, const PlatformChoice& choice,
                      const std::function<void(std::string_view)>& keep) {
  return Gathering(reader, chosen, choice, keep).run();
}

}  // namespace liftlock::oci
