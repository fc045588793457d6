#include "ecosystem/cargo/inspector.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "ecosystem/cargo/crate_file.hpp"
#include "ecosystem/cargo/crate_name.hpp"
#include "ecosystem/cargo/vendor_archive.hpp"
#include "ecosystem/cargo/vendor_tree.hpp"

namespace liftlock::cargo {
namespace {

constexpr std::array<std::string_view, 2> k_kinds{"crate", k_vendor_kind};
constexpr std::size_t k_shown = 2000;
constexpr std::size_t k_most_problems = 20;

/// Foreign text for people: printable, UTF-8, not endless.
std::string shown(std::string_view text) {
  auto out = printable(text.substr(0, k_shown));
  while (!is_utf8(out)) out.pop_back();
  return out;
}

Json facts_of(const CrateContent& content) {
  const auto& manifest = content.manifest;
  auto facts = Json::object();
  facts["description"] = shown(manifest.description);
  facts["license"] = shown(manifest.license);
  facts["files"] = content.files;
  facts["unpacked_size"] = content.unpacked_size;
  // What runs on the machine that builds.
  facts["build_script"] = content.has_build_script;
  facts["proc_macro"] = manifest.is_proc_macro;
  if (!manifest.links.empty()) facts["links"] = shown(manifest.links);
  if (!manifest.rust_version.empty()) facts["rust_version"] = shown(manifest.rust_version);
  facts[k_fact_index] = index_facts(manifest);
  return facts;
}

void inspect_crate(const Artifact& artifact, int file, Inspection& out) {
  if (!is_crate_name(artifact.name) || !is_crate_version(artifact.version) ||
      artifact.files[0].path.filename() != crate_file_name(artifact.name, artifact.version)) {
    fail(ErrorCode::package_malformed, "a crate is one file NAME-VERSION.crate");
  }
  out.facts = facts_of(check_crate(file, artifact.name, artifact.version));
}

void inspect_vendored(const Artifact& artifact, int file, Inspection& out) {
  const auto& facts = artifact.facts;
  const bool locked = !facts.contains(k_fact_lock) || facts[k_fact_lock] != false;
  const auto report = check_vendor_archive(file, locked ? WithLock::yes : WithLock::no);
  for (std::size_t i = 0; i < std::min(report.problems.size(), k_most_problems); ++i) {
    const auto& problem = report.problems[i];
    out.findings.push_back(
        {problem.code, artifact.files[0].path.text(), shown(fmt::format("{}: {}", problem.crate, problem.message))});
  }
  out.facts = {{"crates", report.crates}, {"files", report.files}};
  if (!locked) {
    out.facts[k_fact_lock] = false;
  } else if (!report.unproven.empty()) {
    out.facts["from_git"] = report.unproven.size();
  }
}

}  // namespace

std::span<const std::string_view> CrateInspector::kinds() const {
  return k_kinds;
}

Inspection CrateInspector::inspect(const Artifact& artifact, std::span<const int> files) const {
  Inspection out;
  const auto& path = artifact.files[0].path;
  try {
    if (artifact.files.size() != 1) fail(ErrorCode::package_malformed, "it is one file, not {}", artifact.files.size());
    if (artifact.kind == "crate") {
      inspect_crate(artifact, files[0], out);
    } else {
      inspect_vendored(artifact, files[0], out);
    }
  } catch (const Error& error) {
    out.findings.push_back({error.code(), path.text(), printable(error.what())});
  }
  return out;
}

}  // namespace liftlock::cargo
