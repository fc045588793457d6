#include "ecosystem/pypi/inspector.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/encoding.hpp"
#include "ecosystem/pypi/distribution.hpp"
#include "ecosystem/pypi/project_name.hpp"
#include "ecosystem/pypi/sdist.hpp"
#include "ecosystem/pypi/version.hpp"
#include "ecosystem/pypi/wheel.hpp"

namespace liftlock {
namespace {

constexpr std::array<std::string_view, 2> k_kinds{"wheel", "sdist"};
constexpr std::size_t k_shown = 2000;

/// Foreign text for people: printable, UTF-8, not endless.
std::string shown(std::string_view text) {
  auto out = printable(text.substr(0, k_shown));
  while (!is_utf8(out)) out.pop_back();
  return out;
}

Json facts_of(const CoreMetadata& metadata) {
  auto facts = Json::object();
  facts["summary"] = shown(metadata.summary);
  facts["license"] = shown(metadata.license_text());
  facts["requires_python"] = shown(metadata.requires_python);
  auto& needs = facts["requires_dist"] = Json::array();
  for (std::size_t i = 0; i < std::min<std::size_t>(metadata.requires_dist.size(), 500); ++i) {
    needs.push_back(shown(metadata.requires_dist[i]));
  }
  return facts;
}

/// "py3-none" of "py3-none-any".
std::string without_platform(std::string_view tag) {
  return std::string(tag.substr(0, tag.rfind('-')));
}

/// Retagging tools often leave WHEEL behind, and installers read only the file name: a difference in the platform is
/// told, one in the interpreter and the ABI is refused.
void check_tags(const WheelFilename& name, const std::vector<std::string>& stated, Json& facts) {
  const auto claimed = name.tags();
  facts["tags"] = Json(claimed);
  const std::set<std::string> inner(stated.begin(), stated.end());
  if (inner == claimed) return;
  const bool related = std::any_of(inner.begin(), inner.end(), [&](const std::string& tag) {
    return std::any_of(claimed.begin(), claimed.end(),
                       [&](const std::string& other) { return without_platform(tag) == without_platform(other); });
  });
  if (!related) fail(ErrorCode::package_malformed, "the tags of the file name are not those of WHEEL");
  auto& list = facts["tags_of_wheel_file"] = Json::array();
  for (const auto& tag : inner) list.push_back(shown(tag));
}

void check_identity(const Artifact& artifact, std::string_view name, std::string_view version) {
  const auto ours = PyVersion::parse(artifact.version), theirs = PyVersion::parse(version);
  if (normalize_project_name(artifact.name) != normalize_project_name(name) || !ours || !theirs || *ours != *theirs) {
    fail(ErrorCode::package_malformed, "the file is of {} {}, the artifact is {}", name, version, artifact.id());
  }
}

class PypiInspector : public Inspector {
 public:
  std::span<const std::string_view> kinds() const override { return k_kinds; }

  Inspection inspect(const Artifact& artifact, std::span<const int> files) const override {
    Inspection out;
    find_twins(artifact, out);
    for (std::size_t i = 0; i < artifact.files.size(); ++i) {
      const auto& path = artifact.files[i].path;
      try {
        if (artifact.kind == "wheel") {
          inspect_wheel(artifact, path.filename(), files[i], out.facts);
        } else {
          inspect_sdist(artifact, path.filename(), files[i], out.facts);
        }
      } catch (const Error& error) {
        out.findings.push_back({error.code(), path.text(), printable(error.what())});
      }
    }
    return out;
  }

 private:
  /// Files that are one to an installer, and differ.
  static void find_twins(const Artifact& artifact, Inspection& out) {
    std::map<Distribution, const ArtifactFile*> known;
    for (const auto& file : artifact.files) {
      const auto distribution = Distribution::of_filename(file.path.filename());
      if (!distribution) continue;
      const auto [other, fresh] = known.emplace(*distribution, &file);
      if (fresh || other->second->digest == file.digest) continue;
      out.findings.push_back(
          {ErrorCode::path_collision, file.path.text(),
           one_distribution_twice(*distribution, other->second->path.filename(), file.path.filename())});
    }
  }

  static void inspect_wheel(const Artifact& artifact, std::string_view filename, int fd, Json& facts) {
    const auto name = WheelFilename::parse(filename);
    if (!name) fail(ErrorCode::package_malformed, "'{}' is no wheel file name", filename);
    check_identity(artifact, name->name, name->version);
    const Wheel wheel(fd, *name);
    facts = facts_of(wheel.metadata());
    check_tags(*name, wheel.tags(), facts);
    wheel.check_record();
  }

  static void inspect_sdist(const Artifact& artifact, std::string_view filename, int fd, Json& facts) {
    const auto name = SdistFilename::parse(filename);
    if (!name) fail(ErrorCode::package_malformed, "'{}' is no sdist file name (NAME-VERSION.tar.gz)", filename);
    check_identity(artifact, name->name, name->version);
    facts = facts_of(check_sdist(fd, *name));
  }
};

}  // namespace

std::unique_ptr<Inspector> make_pypi_inspector() {
  return std::make_unique<PypiInspector>();
}

}  // namespace liftlock
