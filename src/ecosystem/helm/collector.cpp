#include "ecosystem/helm/collector.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "ecosystem/helm/chart.hpp"
#include "ecosystem/helm/inspector.hpp"
#include "ecosystem/helm/registry_chart.hpp"
#include "ecosystem/helm/render_check.hpp"
#include "ecosystem/helm/repository_index.hpp"
#include "ecosystem/source_files.hpp"
#include "os/file.hpp"

namespace liftlock::helm {
namespace {

constexpr std::array k_keys{
    KeySpec{.name = "source",
            .doc = "The chart's archive, NAME-VERSION.tgz: a local file or a URL; or oci://HOST/NAME/CHART[:TAG].",
            .example = R"("charts/storage-1.2.0.tgz")"},
    KeySpec{.name = "repository",
            .doc = "Or a chart repository: the address that index.yaml is below; or oci://HOST/NAME of a registry.",
            .example = R"("https://charts.example/stable/")"},
    KeySpec{.name = "chart",
            .doc = "The chart's name in the repository; by default that of the table.",
            .example = R"("storage")"},
    KeySpec{.name = "version", .doc = "The exact version in the repository or registry.", .example = R"("1.2.0")"},
    KeySpec{
        .name = "values",
        .type = ValueType::strings,
        .doc = "Values files that `liftlock check` renders it with, where there is a helm; by default the chart's own.",
        .example = R"(["values-production.yaml"])"},
    KeySpec{.name = "sha256",
            .doc =
                "SHA-256 of the archive as its publisher states it; without it the repository's index is believed, or "
                "the registry's manifest, or the first download.",
            .example = "\"…64 hexadecimal digits…\""},
    KeySpec{.name = "insecure",
            .type = ValueType::boolean,
            .doc = "Whether the registry is spoken to over plain http, for one on this machine; false when absent.",
            .example = "true"},
    KeySpec{
        .name = "authfile",
        .doc = "The file with the registry's credentials; the usual places of podman, skopeo and docker when absent.",
        .example = "\"auth.json\""},
};

struct Place {
  std::string origin;  ///< URL or path
  ChartFileName chart;
  std::optional<Digest> stated;
  Evidence evidence;
};

/// What skopeo and docker name, and helm does not.
[[noreturn]] void refuse_images(const StackEntry& entry, std::string_view text) {
  const bool remote = text.starts_with("docker://");
  throw Error(
      ErrorCode::stack_invalid,
      fmt::format("{}: '{}' is no chart repository, but {}", entry.where(), printable(text),
                  remote ? "an OCI registry" : "an archive or a layout of images"),
      remote ? fmt::format("name it as helm does: oci{}", printable(text.substr(text.find(':'))))
             : fmt::format("name the chart's own archive, NAME-VERSION.tgz; or take all of it as an image: [image.{}]",
                           entry.name));
}

Place of_registry(const StackEntry& entry, CollectContext& context, std::vector<std::string>& notes) {
  auto found = find_in_registry(entry, context);
  if (!found.note.empty()) notes.push_back(std::move(found.note));
  return {.origin = std::move(found.origin),
          .chart = std::move(found.chart),
          .stated = found.digest,
          .evidence = std::move(found.evidence)};
}

Place of_repository(const StackEntry& entry, CollectContext& context, std::string repository) {
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

Place of_source(const StackEntry& entry, const std::string& source) {
  const auto filename = is_url(source) ? file_name_of_url(source) : fs::path(source).filename().string();
  const auto chart = ChartFileName::parse(filename);
  if (!chart) {
    throw Error(ErrorCode::stack_invalid,
                fmt::format("{}: '{}' is not called NAME-VERSION.tgz", entry.where(), printable(filename)),
                "call it as `helm package` does");
  }
  return {.origin = source, .chart = *chart, .stated = {}, .evidence = first_use_evidence()};
}

Place place_of(const StackEntry& entry, CollectContext& context, std::vector<std::string>& notes) {
  const auto repository = entry.text("repository"), source = entry.text("source");
  if (repository.empty() == source.empty()) {
    fail(ErrorCode::stack_invalid, "{} needs either source or repository", entry.where());
  }
  const auto& address = repository.empty() ? source : repository;
  if (is_url(address)) refuse_credentials(address, entry.where());  // before any error repeats it
  if (is_in_registry(entry)) return of_registry(entry, context, notes);
  if (is_of_registry(address)) refuse_images(entry, address);
  return repository.empty() ? of_source(entry, source) : of_repository(entry, context, repository);
}

std::function<std::vector<HttpHeader>()> login(const StackEntry& entry, const std::string& origin,
                                               CollectContext& context) {
  if (!is_in_registry(entry)) return {};
  return registry_login(entry, origin, context);
}

TakenFile take(const Place& place, const StackEntry& entry, CollectContext& context) {
  if (is_url(place.origin)) {
    // Inspecting reads it, so it is fetched even where its size is known.
    const auto results = context.downloader.fetch({{.title = file_name_of_url(place.origin),
                                                    .digest = place.stated,
                                                    .size = {},
                                                    .url = place.origin,
                                                    .headers = login(entry, place.origin, context),
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
  return "Helm charts, from chart repositories, OCI registries, URLs and files";
}
std::span<const KeySpec> ChartCollector::keys() const {
  return k_keys;
}

Collected ChartCollector::resolve(const StackEntry& entry, CollectContext& context) const {
  Collected out;
  auto place = place_of(entry, context, out.notes);
  if (const auto text = entry.text("sha256"); !text.empty()) {
    const auto stated = parse_stated_digest(text, entry.where());
    if (place.stated && *place.stated != stated) {
      fail(ErrorCode::digest_mismatch, "{} states another SHA-256 than {}", entry.where(),
           is_in_registry(entry) ? "the registry's manifest" : "the repository's index");
    }
    place.stated = stated;
    place.evidence = stated_evidence("stack");
  }
  const auto taken = take(place, entry, context);
  if (place.stated && taken.digest != *place.stated) {
    fail(ErrorCode::digest_mismatch, "'{}' has the SHA-256 {}, {} is stated", printable(place.origin),
         taken.digest.hex(), place.stated->hex());
  }
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
    if (!context.store.contains(file.digest))
      jobs.push_back(job_for(file, entry, context, login(entry, file.origin, context)));
  }
  return jobs;
}

CheckResult ChartCollector::check(const StackEntry& entry, const std::vector<Artifact>& artifacts,
                                  CollectContext& context) const {
  return check_render(entry, artifacts, context);
}

}  // namespace liftlock::helm
