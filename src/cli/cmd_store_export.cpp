#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/store_view.hpp"
#include "ecosystem/hub/cache_export.hpp"
#include "ecosystem/oci/image.hpp"
#include "ecosystem/ollama/serving/store_export.hpp"
#include "store/maintenance.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string name;
  std::string to;
  std::string ollama_name;
  bool tree = false;
  bool hub_cache = false;
  bool ollama_store = false;
};

constexpr std::uint64_t k_max_index = 16u << 20;

/// What makes the blobs of an image a layout that tools read; images that were exported to one folder share one.
void write_oci_layout(const Artifact& image, const fs::path& folder) {
  for (const auto& [path, text] : oci::assemble_oci_layout({&image, 1})) {
    const auto file = folder / path.filename();
    const bool shared = path.filename() == "index.json" && fs::exists(file);
    write_file_atomically(file, shared ? oci::merge_oci_index(read_file(file, k_max_index), text) : text);
  }
}

ExportLayout layout_of(const Artifact& artifact, const Options& options) {
  if (options.tree) return ExportLayout::bundle;
  return artifact.kind == oci::k_image_kind ? ExportLayout::below_top : ExportLayout::flat;
}

void check_target(const fs::path& folder) {
  std::error_code error;
  if (!fs::exists(folder, error) || fs::is_directory(folder, error)) return;
  throw Error(ErrorCode::usage, fmt::format("--to wants a folder, and '{}' is none", printable(folder.string())),
              "name a new or an existing folder; the artifact's files go into it under their own names");
}

std::vector<ExportedFile> export_plainly(const BlobStore& blobs, const Artifact& artifact, const Options& options,
                                         Reporter& reporter) {
  auto files = export_artifact(blobs, artifact, options.to, layout_of(artifact, options), reporter);
  if (artifact.kind == oci::k_image_kind) {
    write_oci_layout(artifact, options.tree ? fs::path(options.to) / "images" : fs::path(options.to));
  }
  return files;
}

ollama::Name ollama_name_of(const Artifact& artifact, const Options& options) {
  if (options.ollama_name.empty()) return ollama::name_of(artifact);
  try {
    return ollama::parse_name(options.ollama_name);
  } catch (const Error& error) {
    throw Error(ErrorCode::usage, error.what(), std::string(error.hint()));
  }
}

std::vector<ExportedFile> export_as_asked(const BlobStore& blobs, const Artifact& artifact, const Options& options,
                                          Reporter& reporter) {
  if (!options.hub_cache && !options.ollama_store) return export_plainly(blobs, artifact, options, reporter);
  if (artifact.kind != "model") {
    throw Error(ErrorCode::usage, fmt::format("{} is no model", artifact.id()),
                "--hf-cache and --ollama-store are for models; leave them out");
  }
  if (options.hub_cache) return hub::export_hub_cache(blobs, artifact, options.to, reporter);
  const auto name = ollama_name_of(artifact, options);
  auto files = ollama::export_to_store(blobs, artifact, name, options.to, reporter);
  reporter.note(fmt::format("ollama run {}", name.text()));
  return files;
}

void run(Invocation& invocation, const Options& options) {
  check_target(options.to);
  const auto site = invocation.site();
  const OpenStore store(site, "export", Access::read);
  const auto artifact = require_artifact(store.catalog, options.name);
  require_blobs(site, store, artifact);
  const auto files = export_as_asked(store.blobs, artifact, options, invocation.reporter());
  Json json = Json::array();
  for (const auto& file : files) {
    json.push_back({{"path", file.path.string()}, {"size", file.size}, {"sha256", file.digest.hex()}});
  }
  invocation.print({{"id", artifact.id()}, {"files", json}}, [&] {
    std::string out;
    for (const auto& file : files) out += fmt::format("{}  {}\n", file.digest.hex(), file.path.string());
    return out;
  });
}

}  // namespace

void add_store_export(CLI::App& app, Invocation& invocation) {
  auto* command =
      app.add_subcommand("export", "Write an artifact's files to a folder, each checked while it is copied");
  auto options = std::make_shared<Options>();
  command->add_option("ID", options->name, "kind:name@version, or a name or name@version that only one artifact has")
      ->required();
  command
      ->add_option("--to", options->to,
                   "The folder; made when missing. Files there with other bytes are never replaced")
      ->required();
  auto* tree = command->add_flag("--tree", options->tree,
                                 "Keep the folders of a bundle (packages/pypi/…), for several exports to one place");
  auto* cache = command->add_flag("--hf-cache", options->hub_cache,
                                  "A model as huggingface_hub's cache: the folder is its HF_HUB_CACHE");
  auto* store = command->add_flag("--ollama-store", options->ollama_store,
                                  "A model into a store of Ollama: the folder is its OLLAMA_MODELS");
  tree->excludes(cache)->excludes(store);
  cache->excludes(store);
  command
      ->add_option("--ollama-name", options->ollama_name,
                   "[HOST/][NAMESPACE/]MODEL[:TAG] that Ollama shall know it by (default: as it was called there, else "
                   "NAME:latest)")
      ->needs(store);
  command->footer(
      "Prints lines that `sha256sum -c` reads. The files are copies: editing them leaves the store as it is.\n"
      "An image becomes an OCI layout: skopeo copy oci:DIR:NAME:TAG …; several images may share the folder.\n"
      "Examples: liftlock export tinyllama --to ./models\n"
      "          liftlock export tinyllama --to ~/.cache/huggingface/hub --hf-cache\n"
      "          liftlock export tinyllama --to /usr/share/ollama/.ollama/models --ollama-store");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
