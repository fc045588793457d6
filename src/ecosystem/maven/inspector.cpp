#include "ecosystem/maven/inspector.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "ecosystem/maven/jar.hpp"
#include "ecosystem/maven/license_name.hpp"
#include "ecosystem/maven/pom.hpp"
#include "ecosystem/maven/repository_path.hpp"
#include "os/file.hpp"

namespace liftlock::maven {
namespace {

constexpr std::array<std::string_view, 1> k_kinds{"maven"};

/// What stands beside each file of a repository: the mirror makes the sums of its own bytes, and believes nobody's.
bool is_checksum(std::string_view path) {
  constexpr std::array<std::string_view, 4> k_ends = {".sha1", ".md5", ".sha256", ".sha512"};
  return std::any_of(k_ends.begin(), k_ends.end(), [&](std::string_view end) { return path.ends_with(end); });
}

bool is_archive(std::string_view path) {
  constexpr std::array<std::string_view, 5> k_ends = {".jar", ".war", ".ear", ".aar", ".zip"};
  return std::any_of(k_ends.begin(), k_ends.end(), [&](std::string_view end) { return path.ends_with(end); });
}

void require_place(const Artifact& artifact, std::string_view path) {
  constexpr std::string_view k_top = "packages/maven/";
  const auto folder = folder_of(artifact.name, artifact.version);
  if (!folder)
    fail(ErrorCode::package_malformed, "'{}' in version '{}' are no coordinates", printable(artifact.name),
         printable(artifact.version));
  const auto place = path.starts_with(k_top) ? parse_repository_path(path.substr(k_top.size())) : std::nullopt;
  if (!place || place->folder() != *folder) {
    fail(ErrorCode::package_malformed, "the file does not lie where {} {} has its files", printable(artifact.name),
         printable(artifact.version));
  }
}

/// "demo-1.0.pom", and not "demo-1.0-tests.pom".
bool is_its_pom(const Artifact& artifact, std::string_view path) {
  const auto colon = artifact.name.find(':');
  return path.ends_with("/" + artifact.name.substr(colon + 1) + "-" + artifact.version + ".pom");
}

}  // namespace

std::span<const std::string_view> MavenInspector::kinds() const {
  return k_kinds;
}

Inspection MavenInspector::inspect(const Artifact& artifact, std::span<const int> files) const {
  Inspection out;
  for (std::size_t i = 0; i < artifact.files.size(); ++i) {
    const auto& path = artifact.files[i].path.text();
    try {
      require_place(artifact, path);
      if (is_checksum(path))
        fail(ErrorCode::package_malformed, "a file of checksums is not carried: the mirror makes them anew");
      if (is_archive(path)) require_jar(files[i]);
      if (!path.ends_with(".pom")) continue;
      const auto pom = parse_pom(read_all(files[i], k_max_pom, "a POM"));
      require_coordinates(pom, artifact.name, artifact.version);
      if (!is_its_pom(artifact, path)) continue;
      if (auto license = joined_licenses(pom.licenses); !license.empty()) out.facts["license"] = std::move(license);
      out.facts[k_fact_pom] = to_json(pom);
    } catch (const Error& error) {
      out.findings.push_back({error.code(), path, printable(error.what())});
    }
  }
  out.facts["files"] = artifact.files.size();
  return out;
}

}  // namespace liftlock::maven
