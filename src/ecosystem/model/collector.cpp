#include "ecosystem/model/collector.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "base/json.hpp"
#include "ecosystem/hub/repository.hpp"
#include "ecosystem/local_files.hpp"
#include "ecosystem/model/completeness.hpp"
#include "ecosystem/model/hub_client.hpp"
#include "ecosystem/model/ollama_registry.hpp"
#include "ecosystem/model/resolution.hpp"
#include "ecosystem/ollama/store_reader.hpp"
#include "ecosystem/source_files.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

constexpr std::array k_keys = {
    KeySpec{
        "source", ValueType::string, true,
        "A local file or folder, a URL, hf:ORG/NAME for a repository of a Hugging Face Hub, ollama:NAME[:TAG] for a "
        "model of an Ollama store, or ollama://[HOST/NAMESPACE/]MODEL[:TAG] for one of a registry that Ollama pulls "
        "from.",
        "\"hf:org/name\""},
    KeySpec{"revision", ValueType::string, false,
            "Commit, tag or branch of the repository; a branch is pinned to its commit in the lock. Default: main.",
            "\"0123456789abcdef0123456789abcdef01234567\""},
    KeySpec{"include", ValueType::strings, false,
            "Patterns of the files to carry; default: all but formats that run code.", "[\"*Q4_K_M*.gguf\"]"},
    KeySpec{"exclude", ValueType::strings, false, "Patterns of files to leave out.", "[\"original/**\"]"},
    KeySpec{"endpoint", ValueType::string, false, "Address of the Hub; default: HF_ENDPOINT.",
            "\"https://hub.example\""},
    KeySpec{"store", ValueType::string, false,
            "Folder of the Ollama store; default: OLLAMA_MODELS, else that of this user or of the service.",
            "\"/usr/share/ollama/.ollama/models\""},
    KeySpec{
        "insecure", ValueType::boolean, false,
        "Whether the registry of ollama:// is spoken to over plain http, for one on this machine; false when absent.",
        "true"},
    KeySpec{"authfile", ValueType::string, false,
            "The file with the credentials of the registry of ollama://; the usual places of podman, skopeo and docker "
            "when absent.",
            "\"auth.json\""},
    KeySpec{"sha256", ValueType::string_map, false, "File → SHA-256, as the publisher states them.",
            "{ \"model.gguf\" = \"…64 hexadecimal digits…\" }"},
    KeySpec{"license", ValueType::string, false, "Licence; default: what the repository states.", "\"apache-2.0\""},
    KeySpec{"name", ValueType::string, false, "Name of the artifact; default: the name of the table.", "\"tiny\""},
    KeySpec{"version", ValueType::string, false,
            "Version; default: 12 digits of the commit or of the content's SHA-256.", "\"1.1\""},
};

constexpr std::array k_dataset_keys = {
    KeySpec{"source", ValueType::string, true,
            "A local file or folder, a URL, or hf:ORG/NAME for a data set of a Hugging Face Hub.", "\"hf:org/name\""},
    KeySpec{"revision", ValueType::string, false,
            "Commit, tag or branch of the data set; a branch is pinned to its commit in the lock. Default: main.",
            "\"0123456789abcdef0123456789abcdef01234567\""},
    KeySpec{"include", ValueType::strings, false, "Patterns of the files to carry; default: all but what runs code.",
            "[\"data/train-*.parquet\"]"},
    KeySpec{"exclude", ValueType::strings, false, "Patterns of files to leave out.", "[\"raw/**\"]"},
    KeySpec{"endpoint", ValueType::string, false, "Address of the Hub; default: HF_ENDPOINT.",
            "\"https://hub.example\""},
    KeySpec{"sha256", ValueType::string_map, false, "File → SHA-256, as the publisher states them.",
            "{ \"train.csv\" = \"…64 hexadecimal digits…\" }"},
    KeySpec{"license", ValueType::string, false, "Licence; default: what the repository states.", "\"cc-by-4.0\""},
    KeySpec{"name", ValueType::string, false, "Name of the artifact; default: the name of the table.", "\"questions\""},
    KeySpec{"version", ValueType::string, false,
            "Version; default: 12 digits of the commit or of the content's SHA-256.", "\"1.1\""},
};

/// All that tokenizer_names() has, and what belongs to one.
constexpr std::array k_tokenizer_patterns = {"tokenizer*",  "vocab.*",    "merges.txt",  "spiece.model",
                                             "*.bpe.model", "*.tiktoken", "tekken.json", "special_tokens_map.json"};

/// The list of a local folder, as the stack writes it.
std::vector<fs::path> manifest_of(const std::string& source, const fs::path& stack_folder) {
  if (source.starts_with("hf:") || is_url(source)) return {};
  auto list = fs::path(source) / k_model_manifest;
  std::error_code unreachable;  // who reads the files says so
  return fs::exists(stack_folder / list, unreachable) ? std::vector<fs::path>{std::move(list)}
                                                      : std::vector<fs::path>{};
}

}  // namespace

std::string_view ModelCollector::table() const {
  return "model";
}
std::string_view ModelCollector::summary() const {
  return "models: GGUF, safetensors, ONNX";
}
std::span<const KeySpec> ModelCollector::keys() const {
  return k_keys;
}

std::vector<fs::path> ModelCollector::input_files(const StackEntry& entry, const fs::path& stack_folder) const {
  const auto source = entry.text("source");
  if (is_ollama(source)) {
    // A tag moves, as a branch does.
    const auto store = ollama_store(entry);
    for (const auto& folder : {store, store / "models"}) {
      auto manifest = ollama::manifest_path(folder, ollama_name(entry));
      const auto at = stack_path(manifest.string(), stack_folder);
      std::error_code unreachable;
      if (fs::exists(at, unreachable)) return {manifest.string().starts_with("~/") ? at : std::move(manifest)};
    }
    return {};
  }
  return manifest_of(source, stack_folder);
}

namespace {

/// What runs code is left out, unless the stack names it.
std::optional<std::vector<std::string>> carried_files(const ModelShape& shape, const StackEntry& entry,
                                                      const fs::path& stack_folder) {
  const auto source = entry.text("source");
  if (source.starts_with("hf:") || is_ollama(source) || is_url(source)) return std::nullopt;
  auto out = selected_origins(entry, stack_folder);
  if (entry.texts("include").empty() && fs::is_directory(stack_path(source, stack_folder)))
    std::erase_if(out, [&](const auto& origin) { return !shape.why_unsafe(origin).empty(); });
  return out;
}

}  // namespace

std::optional<std::vector<std::string>> ModelCollector::local_files(const StackEntry& entry,
                                                                    const fs::path& stack_folder) const {
  return carried_files(k_model_shape, entry, stack_folder);
}

Collected ModelCollector::resolve(const StackEntry& entry, CollectContext& context) const {
  return resolve_model(k_model_shape, entry, context);
}

namespace {

std::vector<FetchJob> plan_files(const Artifact& artifact, const StackEntry& entry, CollectContext& context) {
  std::shared_ptr<HubClient> hub;
  if (entry.text("source").starts_with("hf:")) {
    hub = std::make_shared<HubClient>(context.downloader, entry.text("endpoint"), entry.where());
  }
  std::shared_ptr<const OllamaRegistry> registry;
  if (is_ollama_registry(entry.text("source")))
    registry = std::make_shared<const OllamaRegistry>(entry.text("source"), entry, context);
  std::vector<FetchJob> jobs;
  for (const auto& file : artifact.files) {
    if (context.store.contains(file.digest)) continue;
    std::function<std::vector<HttpHeader>()> headers;
    if (registry) headers = [registry, url = file.origin] { return registry->headers(url); };
    if (hub) headers = [hub, url = file.origin] { return hub->headers(url); };
    jobs.push_back(job_for(file, entry, context, std::move(headers)));
  }
  return jobs;
}

}  // namespace

std::vector<FetchJob> ModelCollector::plan(const Artifact& artifact, const StackEntry& entry,
                                           CollectContext& context) const {
  return plan_files(artifact, entry, context);
}

CheckResult ModelCollector::check(const StackEntry& entry, const std::vector<Artifact>& artifacts,
                                  CollectContext& /*context*/) const {
  CheckResult out;
  auto include = entry.texts("include");
  if (include.empty()) return out;
  // Where `include` takes whatever it is called, there is none.
  const auto leaves_behind = [&](const std::string& folder) {
    const auto names = tokenizer_names();
    return std::any_of(names.begin(), names.end(),
                       [&](const auto name) { return !is_selected(folder + std::string(name), include, {}); });
  };
  for (const auto& artifact : artifacts) {
    std::vector<std::string> paths;
    std::set<std::string> weights;
    for (const auto& file : artifact.files) {
      const auto& path = paths.emplace_back(hub::path_in_model(file));
      if (path.ends_with(".safetensors")) weights.insert(path.substr(0, path.rfind('/') + 1));
    }
    const auto without = folders_without_tokenizer(paths, weights);
    if (std::none_of(without.begin(), without.end(), leaves_behind)) continue;
    for (const auto* pattern : k_tokenizer_patterns) {
      if (std::find(include.begin(), include.end(), pattern) == include.end()) include.emplace_back(pattern);
    }
    out.missing.push_back(
        {fmt::format("{} has weights but no tokenizer, which `include` may leave behind", artifact.id()),
         fmt::format("# in {}, in place of what it has\ninclude = {}", entry.where(), Json(include).dump())});
  }
  return out;
}

std::string_view DatasetCollector::table() const {
  return "dataset";
}
std::string_view DatasetCollector::summary() const {
  return "data sets: Parquet, CSV, JSON Lines and other files, without code";
}
std::span<const KeySpec> DatasetCollector::keys() const {
  return k_dataset_keys;
}

std::vector<fs::path> DatasetCollector::input_files(const StackEntry& entry, const fs::path& stack_folder) const {
  return manifest_of(entry.text("source"), stack_folder);
}

std::optional<std::vector<std::string>> DatasetCollector::local_files(const StackEntry& entry,
                                                                      const fs::path& stack_folder) const {
  return carried_files(k_dataset_shape, entry, stack_folder);
}

Collected DatasetCollector::resolve(const StackEntry& entry, CollectContext& context) const {
  return resolve_model(k_dataset_shape, entry, context);
}

std::vector<FetchJob> DatasetCollector::plan(const Artifact& artifact, const StackEntry& entry,
                                             CollectContext& context) const {
  return plan_files(artifact, entry, context);
}

}  // namespace liftlock
