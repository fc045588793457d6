#include "ecosystem/maven/push.hpp"

#include <algorithm>

#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/maven/checksum.hpp"
#include "ecosystem/maven/metadata.hpp"
#include "ecosystem/maven/repository_path.hpp"

namespace liftlock::maven {
namespace {

using Found = HttpRepository::Found;

constexpr std::string_view k_top = "packages/maven/";
constexpr std::string_view k_xml = "application/xml";

/// "20261129120000"
std::string stamp() {
  std::string out;
  for (const char c : format_time(now())) {
    if (c >= '0' && c <= '9' && out.size() < 14) out += c;
  }
  return out;
}

class Repository {
 public:
  Repository(const PushSettings& settings, const BlobStore& store)
      : m_http(settings.access.value(), settings.table), m_store(store) {}

  std::string target(std::string_view path) const { return m_http.below("/" + encode_percent_path(path)); }
  Found compare(std::string_view path, const ArtifactFile& file) { return m_http.compare(target(path), file); }

  /// nullopt when there is none.
  std::optional<std::string> text(const std::string& path) {
    const auto answer =
        m_http.ask({.method = "GET", .target = target(path), .headers = {}, .body = {}}, k_max_metadata);
    if (answer.status == 404) return std::nullopt;
    if (answer.status != 200) m_http.refuse(answer, "the question for " + path);
    return answer.body;
  }

  void put(const std::string& path, std::string text, std::string_view type) {
    const auto answer = m_http.ask({.method = "PUT",
                                    .target = target(path),
                                    .headers = {{"Content-Type", std::string(type)}},
                                    .body = std::move(text)});
    require_taken(answer, path);
  }

  void put(const std::string& path, const ArtifactFile& file, const PushProgress& progress) {
    m_http.put(target(path), m_store, file, progress);
  }

  std::string checksum(const ArtifactFile& file, std::string_view suffix) const {
    return checksum_of_blob(m_store, file, suffix);
  }

 private:
  void require_taken(const UnixResponse& answer, const std::string& path) const {
    if (answer.status < 200 || answer.status > 204) m_http.refuse(answer, "the upload of " + path);
  }

  HttpRepository m_http;
  const BlobStore& m_store;
};

std::string checksum_of(std::string_view text, std::string_view suffix) {
  Checksum sum(suffix);
  sum.update(as_bytes(text));
  return sum.hex();
}

class ModulePlan final : public PushPlan {
 public:
  ModulePlan(Repository& repository, const Artifact& artifact) : m_repository(repository) {
    const auto folder = folder_of(artifact.name, artifact.version);
    if (!folder) fail(ErrorCode::package_malformed, "'{}' is no name of a module", printable(artifact.id()));
    place = *folder;
    m_version = artifact.version;
    m_metadata = folder->substr(0, folder->rfind('/')) + "/maven-metadata.xml";
    const auto colon = artifact.name.find(':');
    m_group = artifact.name.substr(0, colon);
    m_artifact = artifact.name.substr(colon + 1);
    for (const auto& file : artifact.files) {
      if (file.path.text().starts_with(k_top)) look(file);
    }
    // What depends on a module reads its POM first: it comes when the rest is there.
    std::stable_partition(m_items.begin(), m_items.end(), [](const Item& one) { return !one.path.ends_with(".pom"); });
    const auto listed = m_repository.text(m_metadata);
    m_lists_it = listed && !add_to(*listed);
    m_lists_it ? ++known : ++lacking;
  }

  void send(const PushProgress& progress) override {
    for (const auto& item : m_items) {
      if (item.lacks_file) m_repository.put(item.path, item.file, progress);
      for (const auto* suffix : {"sha256", "sha1"}) {
        m_repository.put(item.path + "." + suffix, m_repository.checksum(item.file, suffix), "text/plain");
      }
    }
    if (m_lists_it) return;
    // Somebody else may have added a version since it was planned.
    const auto listed = m_repository.text(m_metadata);
    auto text = listed ? add_to(*listed) : module_metadata(m_group, m_artifact, {m_version}, stamp());
    if (!text) return;
    const auto sha1 = checksum_of(*text, "sha1"), sha256 = checksum_of(*text, "sha256");
    m_repository.put(m_metadata, std::move(*text), k_xml);
    m_repository.put(m_metadata + ".sha256", sha256, "text/plain");
    m_repository.put(m_metadata + ".sha1", sha1, "text/plain");
  }

 private:
  struct Item {
    ArtifactFile file;
    std::string path;
    bool lacks_file = false;
  };

  void look(const ArtifactFile& file) {
    const auto path = file.path.text().substr(k_top.size());
    const auto found = m_repository.compare(path, file);
    if (found == Found::other) {
      other.push_back(path);
      return;
    }
    bool is_whole = found == Found::same;
    if (is_whole) {
      // Its checksum is written after it: a run that was cut off may have left it out.
      const auto stated = m_repository.text(path + ".sha1");
      is_whole = stated && to_lower(trim(*stated)).starts_with(m_repository.checksum(file, "sha1"));
    }
    if (is_whole) {
      ++known;
      return;
    }
    ++lacking;
    if (found == Found::nothing) bytes += file.size;
    m_items.push_back({file, path, found == Found::nothing});
  }

  std::optional<std::string> add_to(const std::string& metadata) const {
    try {
      return with_version(metadata, m_version, stamp());
    } catch (Error& error) {
      throw error.add_context("in the repository's " + m_metadata);
    }
  }

  Repository& m_repository;
  std::string m_group, m_artifact, m_version, m_metadata;
  std::vector<Item> m_items;
  bool m_lists_it = false;
};

class MavenPush final : public PushTarget {
 public:
  MavenPush(const PushSettings& settings, const BlobStore& store) : m_repository(settings, store) {}
  std::unique_ptr<PushPlan> plan(const Artifact& artifact) override {
    return std::make_unique<ModulePlan>(m_repository, artifact);
  }

 private:
  Repository m_repository;
};

}  // namespace

std::unique_ptr<PushTarget> make_maven_push(const PushSettings& settings, const BlobStore& store) {
  return std::make_unique<MavenPush>(settings, store);
}

}  // namespace liftlock::maven
