#include "ecosystem/helm/push.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "ecosystem/helm/chart.hpp"
#include "ecosystem/helm/chart_manifest.hpp"
#include "ecosystem/oci/manifest.hpp"
#include "ecosystem/oci/push_target.hpp"
#include "ecosystem/yaml.hpp"

namespace liftlock::helm {
namespace {

using Found = HttpRepository::Found;

constexpr std::size_t k_max_index = 64u << 20;
constexpr std::string_view k_index = "the repository's index.yaml";

class MuseumPush final : public PushTarget {
 public:
  MuseumPush(const PushSettings& settings, const BlobStore& store)
      : m_repository(settings.access.value(), settings.table), m_store(store) {
    const auto prefix = settings.text("prefix");
    const bool plain = std::all_of(prefix.begin(), prefix.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             std::string_view("-_./").find(c) != std::string_view::npos;
    });
    if (!plain || prefix.starts_with('/') || prefix.ends_with('/')) {
      throw Error(
          ErrorCode::config_invalid, fmt::format("config.toml: 'prefix' of {} is no path", settings.table),
          "ORGANISATION/REPOSITORY of a ChartMuseum with several; leave it out for one with a single repository");
    }
    m_charts = prefix.empty() ? "/api/charts" : "/api/" + prefix + "/charts";
    m_index = m_repository.below(prefix.empty() ? "/index.yaml" : "/" + prefix + "/index.yaml");
  }

  std::unique_ptr<PushPlan> plan(const Artifact& artifact) override {
    auto out = std::make_unique<FilesPlan>(
        [this, artifact](const ArtifactFile& file, const PushProgress& progress) { post(artifact, file, progress); });
    const auto& file = chart_archive(artifact);
    out->place = fmt::format("{} {}", artifact.name, artifact.version);
    out->add(file, look(artifact, file), out->place);
    return out;
  }

 private:
  Found look(const Artifact& artifact, const ArtifactFile& file) {
    const auto target = m_repository.below(
        fmt::format("{}/{}/{}", m_charts, encode_percent_path(artifact.name), encode_percent_path(artifact.version)));
    const auto answer = m_repository.ask("GET", target);
    if (answer.status == 200) {
      const auto digest = string_member_or(parse_json(answer.body), "digest", "", "the repository's answer");
      return digest == file.digest.hex() ? Found::same : Found::other;
    }
    if (answer.status != 404)
      m_repository.refuse(answer, fmt::format("the question for {} {}", artifact.name, artifact.version));
    return tells_of_charts() ? Found::nothing : look_in_index(artifact, file);
  }

  /// Is it a ChartMuseum, whose 404 means that there is no such chart? Others take its upload, and have no such page.
  bool tells_of_charts() {
    if (m_tells) return *m_tells;
    const auto answer = m_repository.ask("GET", m_repository.below("/info"));
    m_tells = false;
    if (answer.status != 200) return false;
    try {
      m_tells = !string_member(parse_json(answer.body), "version", "the repository's answer").empty();
    } catch (const Error&) {
      // a page of another kind
    }
    return *m_tells;
  }

  /// By the digest that the index states; where it states none, by the bytes.
  Found look_in_index(const Artifact& artifact, const ArtifactFile& file) {
    const auto charts = listed().find(artifact.name);
    if (charts == listed().end()) return Found::nothing;
    if (!charts->is_array()) fail(ErrorCode::schema_violation, "{} has no list of its charts", k_index);
    for (const auto& one : *charts) {
      if (string_member(one, "version", k_index) != artifact.version) continue;
      const auto digest = string_member_or(one, "digest", "", k_index);
      if (!digest.empty()) return digest == file.digest.hex() ? Found::same : Found::other;
      const auto& urls = array_member(one, "urls", k_index);
      const auto link = urls.empty() || !urls[0].is_string() ? std::string() : urls[0].get<std::string>();
      const auto target = m_repository.resolve(m_index, link);
      if (!target) {
        throw Error(ErrorCode::http_status,
                    fmt::format("{} leads to '{}' for {} {}", k_index, printable(link.substr(0, 200)), artifact.name,
                                artifact.version),
                    "it states no digest of the chart, and only the repository's own address is talked to");
      }
      const auto found = m_repository.compare(*target, file);
      if (found == Found::nothing)
        fail(ErrorCode::http_status, "{} names {} {}, and it is not there", k_index, artifact.name, artifact.version);
      return found;
    }
    return Found::nothing;
  }

  const Json& listed() {
    if (m_listed) return *m_listed;
    const auto answer = m_repository.ask({.method = "GET", .target = m_index, .headers = {}, .body = {}}, k_max_index);
    if (answer.status == 404) {
      throw Error(ErrorCode::http_status, "the repository does not tell which charts it has: it has no index.yaml",
                  "is its address that of a repository of charts, and its prefix right?");
    }
    if (answer.status != 200) m_repository.refuse(answer, "the question for index.yaml");
    const auto index = parse_yaml(answer.body, k_index, {.max_bytes = k_max_index});
    const auto& entries = member(index, "entries", k_index);
    m_listed = entries.is_null() ? Json::object() : object_member(index, "entries", k_index);
    return *m_listed;
  }

  /// Who has no such API may write over what is there: it is asked once more.
  bool came_meanwhile(const Artifact& artifact, const ArtifactFile& file) {
    if (!m_listed) return false;
    m_listed.reset();
    const auto found = look_in_index(artifact, file);
    if (found == Found::other) {
      throw Error(
          ErrorCode::immutable,
          fmt::format("{} {} came there with other bytes since it was planned", artifact.name, artifact.version),
          "nothing is ever written over: find out who put it there");
    }
    return found == Found::same;
  }

  void post(const Artifact& artifact, const ArtifactFile& file, const PushProgress& progress) {
    if (came_meanwhile(artifact, file)) {
      progress(file.size);
      return;
    }
    StoredBody body(m_store, file, progress);
    const auto answer = m_repository.upload({.method = "POST",
                                             .target = m_repository.below(m_charts),
                                             .headers = {{"Content-Type", "application/gzip"}},
                                             .body = {}},
                                            body);
    if (answer.status == 409)
      fail(ErrorCode::immutable, "the repository has a {} already (409), and did not tell of it when it was asked",
           file.path.filename());
    if (answer.status != 201 && answer.status != 200)
      m_repository.refuse(answer, fmt::format("the upload of {}", file.path.filename()));
  }

  HttpRepository m_repository;
  const BlobStore& m_store;
  std::string m_charts, m_index;
  std::optional<bool> m_tells;
  std::optional<Json> m_listed;  ///< the charts of index.yaml, once it was asked for
};

class ChartRegistryPush final : public PushTarget {
 public:
  ChartRegistryPush(const PushSettings& settings, const BlobStore& store)
      : m_registry(oci::registry_settings(settings), store) {}

  std::unique_ptr<PushPlan> plan(const Artifact& artifact) override {
    const auto made = oci::made_for_push(make_chart_manifest(artifact), artifact.name, chart_tag(artifact.version));
    // An index that is not asked for may be answered with 404, and be written over.
    const auto there =
        m_registry.manifest(made.name, made.tag, fmt::format("{}, {}", made.media_type, oci::media::oci_index));
    if (there && *there != made.manifest) {
      // `helm push` writes a time into its manifest: what counts is the archive.
      auto out = std::make_unique<oci::RegistryPlan>(m_registry, oci::ImagePlan{});
      out->place = made.name + ":" + made.tag;
      if (holds(*there, artifact.files[0].digest))
        out->known = 1;
      else
        out->other.push_back(out->place);
      return out;
    }
    return std::make_unique<oci::RegistryPlan>(m_registry, m_registry.plan(made));
  }

 private:
  static bool holds(const std::string& manifest, const Digest& archive) {
    constexpr std::string_view where = "the registry's manifest";
    const auto json = parse_json(manifest);
    if (!json.contains("layers")) return false;  // an index of images
    for (const auto& layer : array_member(json, "layers", where)) {
      if (string_member(layer, "digest", where) == archive.text()) return true;
    }
    return false;
  }

  oci::RegistryPush m_registry;
};

}  // namespace

std::unique_ptr<PushTarget> make_museum_push(const PushSettings& settings, const BlobStore& store) {
  return std::make_unique<MuseumPush>(settings, store);
}

std::unique_ptr<PushTarget> make_chart_registry_push(const PushSettings& settings, const BlobStore& store) {
  return std::make_unique<ChartRegistryPush>(settings, store);
}

}  // namespace liftlock::helm
