#include "ecosystem/go/inspector.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "ecosystem/go/go_mod.hpp"
#include "ecosystem/go/module_path.hpp"
#include "ecosystem/go/module_zip.hpp"
#include "os/file.hpp"

namespace liftlock::go {
namespace {

constexpr std::array<std::string_view, 1> k_kinds{"go-module"};
constexpr std::size_t k_max_info = 4096;

/// The files of one module, by what their names end in: -1 where there is none.
struct Files {
  int zip = -1, mod = -1, info = -1;
};

Files files_of(const Artifact& artifact, std::span<const int> descriptors) {
  const auto start = fmt::format("packages/go/{}/@v/{}", escape_module(artifact.name), escape_module(artifact.version));
  Files out;
  for (std::size_t i = 0; i < artifact.files.size(); ++i) {
    const auto& path = artifact.files[i].path.text();
    const auto end = path.starts_with(start) ? std::string_view(path).substr(start.size()) : std::string_view();
    if (end == ".zip") {
      out.zip = descriptors[i];
    } else if (end == ".mod") {
      out.mod = descriptors[i];
    } else if (end == ".info") {
      out.info = descriptors[i];
    } else {
      fail(ErrorCode::package_malformed, "'{}' is no file of the module", printable(path));
    }
  }
  if (out.mod < 0) fail(ErrorCode::package_malformed, "the module has no .mod");
  return out;
}

void check_sum(const Artifact& artifact, const char* key, const std::string& actual) {
  const auto found = artifact.facts.find(key);
  if (found == artifact.facts.end()) return;
  if (!found->is_string() || found->get<std::string>() != actual) {
    fail(ErrorCode::package_malformed, "the {} of the artifact is not that of its bytes, {}", key, actual);
  }
}

}  // namespace

std::span<const std::string_view> ModuleInspector::kinds() const {
  return k_kinds;
}

Inspection ModuleInspector::inspect(const Artifact& artifact, std::span<const int> descriptors) const {
  Inspection out;
  try {
    if (!is_module_path(artifact.name) || !is_module_version(artifact.version)) {
      fail(ErrorCode::package_malformed, "the name or the version is none of a Go module");
    }
    const auto files = files_of(artifact, descriptors);
    const auto mod = read_all(files.mod, k_max_go_mod, "the .mod");
    check_sum(artifact, "h1_mod", h1_of_go_mod(mod));
    const auto stated = parse_go_mod(mod);
    out.facts["module"] = printable(stated.module.substr(0, 600));
    out.facts["requirements"] = stated.requirements.size();
    if (files.info >= 0 && read_all(files.info, k_max_info, "the .info") != info_of(artifact.version)) {
      fail(ErrorCode::package_malformed, "the .info says something else than the version does");
    }
    if (files.zip >= 0) {
      const auto zip = check_module_zip(files.zip, artifact.name, artifact.version);
      check_sum(artifact, "h1", zip.h1);
      if (zip.has_go_mod && zip.go_mod != mod) {
        fail(ErrorCode::package_malformed, "the .mod is not the go.mod in the zip");
      }
      out.facts["files"] = zip.files;
      out.facts["unpacked_size"] = zip.unpacked_size;
    }
  } catch (const Error& error) {
    out.findings.push_back({error.code(), artifact.files[0].path.text(), printable(error.what())});
  }
  return out;
}

}  // namespace liftlock::go
