#include "advisory/collector.hpp"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/source_files.hpp"

namespace liftlock::advisory {
namespace {

constexpr std::array<KeySpec, 3> k_keys = {{
    {"source", ValueType::string, true, "A zip of OSV records, or one record as JSON: a local file or a URL.",
     "\"https://advisories.example/PyPI/all.zip\""},
    {"sha256", ValueType::string, false, "Its SHA-256, where somebody states it.", "\"…64 hexadecimal digits…\""},
    {"name", ValueType::string, false, "Name of the artifact; default: the name of the table.", "\"python\""},
}};

}  // namespace

std::string_view AdvisoriesCollector::table() const {
  return "advisories";
}
std::string_view AdvisoriesCollector::summary() const {
  return "known vulnerabilities (OSV), so that `report` names on the other side what is affected";
}
std::span<const KeySpec> AdvisoriesCollector::keys() const {
  return k_keys;
}

Collected AdvisoriesCollector::resolve(const StackEntry& entry, CollectContext& context) const {
  const auto source = entry.text("source");
  std::optional<Digest> stated;
  if (entry.values.contains("sha256")) stated = parse_stated_digest(entry.text("sha256"), entry.where());
  std::string filename;
  std::optional<TakenFile> taken;
  if (is_url(source)) {
    refuse_credentials(source, entry.where());
    filename = file_name_of_url(source);
    taken = take_url(context, source, stated);
  } else {
    const auto files = list_local_files(stack_path(source, context.stack_folder));
    if (files.size() != 1) {
      throw Error(ErrorCode::stack_invalid,
                  fmt::format("{}: '{}' holds {} files", entry.where(), printable(source), files.size()),
                  "name one zip of OSV records, as the OSV project exports one per ecosystem");
    }
    filename = files[0].path;
    taken = take_local_files(context, "lock-advisories-" + portable_component(entry.name), files).at(0);
  }
  if (stated && taken->digest != *stated) {
    fail(ErrorCode::digest_mismatch, "'{}' has the SHA-256 {}; {} states {}", printable(filename), taken->digest.hex(),
         entry.where(), stated->hex());
  }
  Artifact out{.kind = "advisories",
               .name = portable_component(entry.text("name", entry.name)),
               .version = taken->digest.hex().substr(0, 12)};
  out.files.push_back(
      {.path = RelPath::parse(fmt::format("patterns/advisories/{}/{}", out.name, portable_component(filename))),
       .size = taken->size,
       .digest = taken->digest,
       .origin = source,
       .evidence = {stated ? stated_evidence("stack") : first_use_evidence()}});
  return {{std::move(out)}, {}};
}

std::vector<FetchJob> AdvisoriesCollector::plan(const Artifact& artifact, const StackEntry& entry,
                                                CollectContext& context) const {
  std::vector<FetchJob> jobs;
  for (const auto& file : artifact.files) {
    if (!context.store.contains(file.digest)) jobs.push_back(job_for(file, entry, context, {}));
  }
  return jobs;
}

}  // namespace liftlock::advisory
