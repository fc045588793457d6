#include "ecosystem/maven/inspector.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "ecosystem/maven/repository_path.hpp"
#include "os/file.hpp"

namespace liftlock::maven {
namespace {

constexpr std::array<std::string_view, 1> k_kinds{"maven"};
constexpr std::uint64_t k_max_pom = 8u << 20;

void check_pom(int file) {
  const auto pom = read_all(file, k_max_pom, "a pom");
  if (pom.find("<project") == std::string::npos) fail(ErrorCode::package_malformed, "it is no POM");
  // Maven reads no entities; what does would be led astray by them.
  if (pom.find("<!ENTITY") != std::string::npos) fail(ErrorCode::package_malformed, "the POM declares entities");
}

void check_jar(int file) {
  std::array<std::uint8_t, 4> magic{};
  const bool read = regular_size(file, "a jar") >= magic.size() && pread_exact(file, magic, 0, "a jar");
  constexpr std::array<std::uint8_t, 4> k_entry = {'P', 'K', 3, 4}, k_empty = {'P', 'K', 5, 6};
  if (!read || (magic != k_entry && magic != k_empty)) fail(ErrorCode::package_malformed, "it is no zip");
}

}  // namespace

std::span<const std::string_view> MavenInspector::kinds() const {
  return k_kinds;
}

Inspection MavenInspector::inspect(const Artifact& artifact, std::span<const int> files) const {
  Inspection out;
  const auto folder = folder_of(artifact.name, artifact.version);
  for (std::size_t i = 0; i < artifact.files.size(); ++i) {
    const auto& path = artifact.files[i].path.text();
    try {
      constexpr std::string_view k_top = "packages/maven/";
      const auto place =
          path.starts_with(k_top) ? parse_repository_path(std::string_view(path).substr(k_top.size())) : std::nullopt;
      if (!folder || !place || place->folder() != *folder) {
        fail(ErrorCode::package_malformed, "the file does not lie where {} {} has its files", printable(artifact.name),
             printable(artifact.version));
      }
      if (path.ends_with(".pom")) check_pom(files[i]);
      if (path.ends_with(".jar") || path.ends_with(".war") || path.ends_with(".aar")) check_jar(files[i]);
    } catch (const Error& error) {
      out.findings.push_back({error.code(), path, printable(error.what())});
    }
  }
  out.facts["files"] = artifact.files.size();
  return out;
}

}  // namespace liftlock::maven
