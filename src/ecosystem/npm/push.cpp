#include "ecosystem/npm/push.hpp"

#include <map>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/loose_json.hpp"
#include "ecosystem/npm/inspector.hpp"
#include "ecosystem/npm/package_name.hpp"

namespace liftlock::npm {
namespace {

constexpr std::string_view k_where = "the registry's document";
/// Of a version that must not become what people get who ask for none.
constexpr std::string_view k_other_tag = "carried";

/// "@scope%2fname", as npm asks.
std::string encoded(std::string_view name) {
  auto out = encode_percent_path(name);
  if (out.starts_with("%40")) out.replace(0, 3, "@");
  if (const auto slash = out.find('/'); slash != std::string::npos) out.replace(slash, 1, "%2f");
  return out;
}

/// What a registry has of one package.
struct Known {
  Json versions = Json::object();  ///< by version: integrity, shasum
  std::optional<Version> latest;
};

class Registry {
 public:
  Registry(const PushSettings& settings, const BlobStore& store)
      : m_http(settings.access.value(), settings.table), m_store(store) {}

  Known& known(const std::string& name) {
    if (const auto found = m_known.find(name); found != m_known.end()) return found->second;
    const auto answer = m_http.ask({.method = "GET",
                                    .target = m_http.below("/" + encoded(name)),
                                    .headers = {{"Accept", "application/json"}},
                                    .body = {}});
    Known out;
    if (answer.status != 200 && answer.status != 404) m_http.refuse(answer, "the question for " + name);
    if (answer.status == 200) {
      const auto json = parse_json(answer.body, {.max_bytes = HttpRepository::k_max_answer, .max_depth = 64});
      if (json.is_object() && json.contains("versions")) {
        for (const auto& [version, manifest] : object_member(json, "versions", k_where).items()) {
          const auto dist = manifest.is_object() ? manifest.find("dist") : manifest.end();
          auto& one = out.versions[version] = Json::object();
          if (manifest.is_object() && dist != manifest.end())
            one = {{"integrity", text_in(*dist, "integrity")}, {"shasum", text_in(*dist, "shasum")}};
        }
        const auto tags = json.find("dist-tags");
        if (tags != json.end()) out.latest = Version::parse(text_in(*tags, "latest"));
      }
    }
    return m_known.emplace(name, std::move(out)).first->second;
  }

  /// "latest" never goes back: it is moved by what is newer, and set where there is none.
  std::string tag_for(Known& known, const Version& version) {
    if (known.latest && (version.is_prerelease() || version < *known.latest)) return std::string(k_other_tag);
    known.latest = version;
    return "latest";
  }

  void publish(const Artifact& artifact, const PushProgress& progress) {
    const auto version = Version::parse(artifact.version);
    const auto& file = artifact.files.at(0);
    const auto filename = fmt::format("{}-{}.tgz", artifact.name, version->text());
    auto manifest = artifact.facts.at(k_fact_manifest);
    manifest["_id"] = fmt::format("{}@{}", artifact.name, version->text());
    manifest["dist"] = {{"integrity", text_in(artifact.facts, k_fact_integrity)},
                        {"shasum", text_in(artifact.facts, k_fact_shasum)},
                        {"tarball", fmt::format("{}/{}/-/{}", m_http.address().text(), artifact.name, filename)}};
    Json body = {{"_id", artifact.name}, {"name", artifact.name}};
    if (const auto description = text_in(manifest, "description"); !description.empty())
      body["description"] = description;
    body["dist-tags"] = {{tag_for(known(artifact.name), *version), version->text()}};
    body["versions"] = {{version->text(), std::move(manifest)}};
    // The tarball is the last member, so that it need not be held: its base64 is made as it goes.
    auto head = dump_json_line(body);
    head.pop_back();
    head +=
        fmt::format(",\"_attachments\":{{{}:{{\"content_type\":\"application/octet-stream\",\"length\":{},\"data\":\"",
                    dump_json_line(filename), file.size);
    StoredBody stream(m_store, file, progress, std::move(head), "\"}}}", StoredBody::Form::base64);
    const auto answer =
        m_http.upload({.method = "PUT",
                       .target = m_http.below("/" + encoded(artifact.name)),
                       .headers = {{"Content-Type", "application/json"}, {"Accept", "application/json"}},
                       .body = {}},
                      stream);
    if (answer.status == 409)
      fail(ErrorCode::immutable, "the registry has a {} already (409), and did not tell of it when it was asked",
           printable(artifact.id()));
    if (answer.status != 200 && answer.status != 201) m_http.refuse(answer, "the upload of " + filename);
  }

 private:
  HttpRepository m_http;
  const BlobStore& m_store;
  std::map<std::string, Known> m_known;
};

class PackagePlan final : public PushPlan {
 public:
  PackagePlan(Registry& registry, Artifact artifact) : m_registry(registry), m_artifact(std::move(artifact)) {
    const auto version = Version::parse(m_artifact.version);
    const auto manifest = m_artifact.facts.find(k_fact_manifest);
    // Inspection saw to it that they are those of the tarball.
    if (m_artifact.files.size() != 1 || !is_package_name(m_artifact.name) || !version ||
        manifest == m_artifact.facts.end() || !manifest->is_object())
      fail(ErrorCode::package_malformed, "'{}' lacks what a registry tells of it", printable(m_artifact.id()));
    place = fmt::format("{}@{}", m_artifact.name, version->text());
    const auto& versions = m_registry.known(m_artifact.name).versions;
    const auto there = versions.find(version->text());
    if (there == versions.end()) {
      lacking = 1;
      bytes = m_artifact.files[0].size;
      return;
    }
    // SHA-1 alone is no evidence of anything, but here it only says that nothing has to be sent.
    const auto integrity = text_in(*there, "integrity");
    const bool same = integrity.empty() ? text_in(*there, "shasum") == text_in(m_artifact.facts, k_fact_shasum)
                                        : integrity == text_in(m_artifact.facts, k_fact_integrity);
    if (same)
      known = 1;
    else
      other.push_back(place);
  }

  void send(const PushProgress& progress) override { m_registry.publish(m_artifact, progress); }

 private:
  Registry& m_registry;
  Artifact m_artifact;
};

class NpmPush final : public PushTarget {
 public:
  NpmPush(const PushSettings& settings, const BlobStore& store) : m_registry(settings, store) {}
  std::unique_ptr<PushPlan> plan(const Artifact& artifact) override {
    return std::make_unique<PackagePlan>(m_registry, artifact);
  }

 private:
  Registry m_registry;
};

}  // namespace

std::unique_ptr<PushTarget> make_npm_push(const PushSettings& settings, const BlobStore& store) {
  return std::make_unique<NpmPush>(settings, store);
}

}  // namespace liftlock::npm
