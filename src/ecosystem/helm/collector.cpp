#include "ecosystem/helm/collector.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "ecosystem/helm/chart.hpp"
#include "ecosystem/helm/inspector.hpp"
#include "ecosystem/helm/render_check.hpp"
#include "ecosystem/helm/repository_index.hpp"
#include "ecosystem/source_files.hpp"
#include "os/file.hpp"

namespace liftlock::helm {
namespace {

constexpr std::array k_keys{
    KeySpec{.name = "source",
            .doc = "The chart's archive, NAME-VERSION.tgz: a local file or a URL.",
            .example = R"("charts/storage-1.2.0.tgz")"},
    KeySpec{.name = "repository",
            .doc = "Or a chart repository: the address that index.yaml is below.",
            .example = R"("https://charts.example/stable/")"},
    KeySpec{.name = "chart",
            .doc = "The chart's name in the repository; by default that of the table.",
            .example = R"("storage")"},
    KeySpec{.name = "version", .doc = "The exact version in the repository.", .example = R"("1.2.0")"},
    KeySpec{
        .name = "values",
        .type = ValueType::strings,
        .doc = "Values files that `liftlock check` renders it with, where there is a helm; by default the chart's own.",
        .example = R"(["values-production.yaml"])"},
    KeySpec{.name = "sha256",
            .doc =
                "SHA-256 of the archive as its publisher states it; without it the repository's index is believed, or "
                "the first download.",
            .example = "\"…64 hexadecimal digits…\""},
};

struct Place {
  std::string origin;  ///< URL or path
  ChartFileName chart;
  std::optional<Digest> stated;
  Evidence evidence;
};

/// Charts in an OCI registry cross as what they are there. Says what to write instead of `text`.
[[noreturn]] void refuse_registry(const StackEntry& entry, std::string_view text) {
  const auto place = text.substr(text.find(':') + 1);
  const bool remote = place.starts_with("//");
  auto source = remote ? "docker:" + std::string(place) : std::string(text);
  while (source.ends_with('/')) source.pop_back();
  if (remote && !entry.text("repository").empty()) source += "/" + entry.text("chart", entry.name);
  auto version = entry.text("version", "VERSION");
  std::replace(version.begin(), version.end(), '+', '_');  // as `helm push` writes it: tags have no '+'
  const auto name = source.substr(source.rfind('/') + 1);
  if (remote && name.find_first_of(":@") == std::string::npos) source += ":" + version;
  throw Error(ErrorCode::stack_invalid,
              fmt::format("{}: '{}' is no chart repository, but {}", entry.where(), printable(text),
                          remote ? "an OCI registry" : "an archive or a layout of images"),
              fmt::format("a chart in a registry crosses as an image does: write [image.{}] with source = \"{}\"",
                          entry.name, printable(source)));
}

Place of_repository(const StackEntry& entry, CollectContext& context, std::string repository) {
  if (is_url(repository)) refuse_credentials(repository, entry.where());  // before any error repeats it
  if (is_of_registry(repository)) refuse_registry(entry, repository);
  if (!is_url(repository)) {
    throw Error(ErrorCode::stack_invalid,
                fmt::format("{}: '{}' is no chart repository", entry.where(), printable(repository)),
                "name the address that its index.yaml is below, https://…; the archive of a chart is named by source");
  }
  if (!repository.ends_with('/')) repository += '/';
  const auto version = entry.text("version");
  if (version.empty()) {
    throw Error(ErrorCode::stack_invalid, fmt::format("{} names no version", entry.where()),
                "name the exact one: `helm search repo CHART --versions` lists them");
  }
  const auto name = entry.text("chart", entry.name);
  const auto index = context.downloader.get({.url = repository + "index.yaml", .headers = {}});
  const auto found = find_in_index(index.body, repository, name, version);
  refuse_credentials(found.url, entry.where());
  Place out{.origin = found.url, .chart = {name, version}, .stated = found.digest, .evidence = first_use_evidence()};
  if (found.digest) {
    out.evidence = {"index-hash", {{"index", repository + "index.yaml"}, {"sha256", found.digest->hex()}}};
  }
  return out;
}

Place of_source(const StackEntry& entry) {
  const auto source = entry.text("source");
  if (is_url(source)) refuse_credentials(source, entry.where());  // before any error repeats it
  if (is_of_registry(source)) refuse_registry(entry, source);
  const auto filename = is_url(source) ? file_name_of_url(source) : fs::path(source).filename().string();
  const auto chart = ChartFileName::parse(filename);
  if (!chart) {
    throw Error(ErrorCode::stack_invalid,
                fmt::format("{}: '{}' is not called NAME-VERSION.tgz", entry.where(), printable(filename)),
                "call it as `helm package` does");
  }
  return {.origin = source, .chart = *chart, .stated = {}, .evidence = first_use_evidence()};
}

TakenFile take(const Place& place, const StackEntry& entry, CollectContext& context) {
  if (is_url(place.origin)) {
    // Inspecting reads it, so it is fetched even where its size is known.
    const auto results = context.downloader.fetch({{.title = file_name_of_url(place.origin),
                                                    .digest = place.stated,
                                                    .size = {},
                                                    .url = place.origin,
                                                    .headers = {},
                                                    .produce = {}}});
    return {results.at(0).digest, results.at(0).size};
  }
  const auto files = list_local_files(stack_path(place.origin, context.stack_folder));
  return take_local_files(context, "lock-chart-" + portable_component(entry.name), files).at(0);
}

}  // namespace

std::string_view ChartCollector::table() const {
  return "chart";
}
std::string_view ChartCollector::summary() const {
  return "Helm charts, from chart repositories, URLs and files";
}
std::span<const KeySpec> ChartCollector::keys() const {
  return k_keys;
}

Collected ChartCollector::resolve(const StackEntry& entry, CollectContext& context) const {
  const auto repository = entry.text("repository");
  if (repository.empty() == entry.text("source").empty()) {
    fail(ErrorCode::stack_invalid, "{} needs either source or repository", entry.where());
  }
  auto place = repository.empty() ? of_source(entry) : of_repository(entry, context, repository);
  if (const auto text = entry.text("sha256"); !text.empty()) {
    const auto stated = parse_stated_digest(text, entry.where());
    if (place.stated && *place.stated != stated) {
      fail(ErrorCode::digest_mismatch, "{} states another SHA-256 than the repository's index", entry.where());
    }
    place.stated = stated;
    place.evidence = stated_evidence("stack");
  }
  const auto taken = take(place, entry, context);
  if (place.stated && taken.digest != *place.stated) {
    fail(ErrorCode::digest_mismatch, "'{}' has the SHA-256 {}, {} is stated", printable(place.origin),
         taken.digest.hex(), place.stated->hex());
  }
  Collected out;
  Artifact artifact{.kind = std::string(k_kind), .name = place.chart.name, .version = place.chart.version};
  artifact.files.push_back({RelPath::parse(path_in_bundle(artifact.name, artifact.version)),
                            taken.size,
                            taken.digest,
                            place.origin,
                            {place.evidence}});
  auto inspection = context.inspect(artifact);
  if (!inspection.findings.empty()) {
    const auto& finding = inspection.findings[0];
    throw Error(finding.code, fmt::format("{} from {}: {}", artifact.id(), place.origin, finding.message));
  }
  artifact.facts = std::move(inspection.facts);
  artifact.license = artifact.facts.value("license", "");
  artifact.facts.erase("license");
  if (place.evidence.type == "first-use") {
    out.notes.push_back(fmt::format("{} is believed on first use: sha256:{}", artifact.id(), taken.digest.hex()));
  }
  out.artifacts.push_back(std::move(artifact));
  return out;
}

std::vector<FetchJob> ChartCollector::plan(const Artifact& artifact, const StackEntry& entry,
                                           CollectContext& context) const {
  std::vector<FetchJob> jobs;
  for (const auto& file : artifact.files) {
    if (!context.store.contains(file.digest)) jobs.push_back(job_for(file, entry, context, {}));
  }
  return jobs;
}

CheckResult ChartCollector::check(const StackEntry& entry, const std::vector<Artifact>& artifacts,
                                  CollectContext& context) const {
  return check_render(entry, artifacts, context);
}

}  // namespace liftlock::helm
