#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/export_into.hpp"
#include "cli/export_layouts.hpp"
#include "cli/interrupt.hpp"
#include "cli/output_file.hpp"
#include "cli/store_view.hpp"
#include "ecosystem/oci/image.hpp"
#include "store/maintenance.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string name;
  std::string to;
  std::string ollama_name;
  std::string image_name;
  std::string into;
  bool tree = false;
  std::vector<bool> layouts = std::vector<bool>(export_layouts().size());  ///< of which the flag was given
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
  require_file_name(folder.string(), "--to");
  std::error_code error;
  if (!fs::exists(folder, error) || fs::is_directory(folder, error)) return;
  throw Error(ErrorCode::usage, fmt::format("--to wants a folder, and '{}' is none", printable(folder.string())),
              "name a new or an existing folder; the artifact's files go into it under their own names");
}

void print_files(Invocation& invocation, const std::vector<std::string>& ids, const std::vector<ExportedFile>& files) {
  Json json = Json::array();
  for (const auto& file : files)
    json.push_back({{"path", file.path.string()}, {"size", file.size}, {"sha256", file.digest.hex()}});
  const Json out = ids.size() == 1 ? Json{{"id", ids.front()}, {"files", json}} : Json{{"ids", ids}, {"files", json}};
  invocation.print(out, [&] {
    std::string text;
    for (const auto& file : files) text += fmt::format("{}  {}\n", file.digest.hex(), file.path.string());
    return text;
  });
}

/// The artifacts that a layout is to hold.
std::vector<Artifact> chosen_for(const NamedLayout& layout, const OpenStore& store, const std::string& name,
                                 Reporter& reporter) {
  const auto fits = [&](const Artifact& artifact) {
    return std::find(layout.kinds.begin(), layout.kinds.end(), artifact.kind) != layout.kinds.end();
  };
  if (!name.empty()) {
    auto artifact = require_artifact(store.catalog, name);
    if (!fits(artifact))
      fail(ErrorCode::usage, "{} is for kind {}, and '{}' is none", layout.flag, fmt::join(layout.kinds, " or "),
           printable(artifact.id()));
    warn_of_other_contents(store.catalog, artifact, name, reporter);
    return {std::move(artifact)};
  }
  if (layout.without_id == NamedLayout::Without::refuse) fail(ErrorCode::usage, "{} wants an ID", layout.flag);
  auto all = store.catalog.artifacts();
  std::erase_if(all, [&](const auto& artifact) { return !fits(artifact); });
  if (all.empty()) fail(ErrorCode::not_found, "the store holds no {}", fmt::join(layout.kinds, " and no "));
  // One folder holds one content of each: the last that was published.
  std::map<std::string, Artifact> chosen;
  for (const auto& artifact : all) {
    if (chosen.contains(artifact.id())) continue;
    if (auto newest = store.catalog.find(artifact.id())) {
      warn_of_other_contents(store.catalog, *newest, "", reporter);
      chosen.emplace(artifact.id(), std::move(*newest));
    }
  }
  all.clear();
  for (auto& [id, artifact] : chosen) all.push_back(std::move(artifact));
  return all;
}

void run_layout(Invocation& invocation, const NamedLayout& layout, const Options& options) {
  if (options.tree) fail(ErrorCode::usage, "{} has a form of its own: leave --tree out", layout.flag);
  if (layout.to == NamedLayout::To::folder) check_target(options.to);
  const auto site = invocation.site();
  const OpenStore store(site, "export", Access::read);
  const LayoutOrder order{store,
                          chosen_for(layout, store, options.name, invocation.reporter()),
                          options.to,
                          invocation.reporter(),
                          options.ollama_name,
                          options.image_name};
  std::vector<std::string> ids;
  for (const auto& artifact : order.artifacts) {
    require_blobs(site, store, artifact);
    ids.push_back(artifact.id());
  }
  print_files(invocation, ids, layout.write(order));
}

void run_into(Invocation& invocation, const Options& options) {
  if (options.name.empty()) fail(ErrorCode::usage, "--into wants the ID of an image");
  const auto site = invocation.site();
  const OpenStore store(site, "export", Access::read);
  const auto image = require_artifact(store.catalog, options.name);
  if (image.kind != oci::k_image_kind)
    fail(ErrorCode::usage, "--into is for images, and '{}' is none", printable(image.id()));
  warn_of_other_contents(store.catalog, image, options.name, invocation.reporter());
  require_blobs(site, store, image);
  export_into(invocation, store, image, options.into, options.image_name);
}

void run(Invocation& invocation, const Options& options) {
  resume_after_interrupt();
  const auto flags = std::count(options.layouts.begin(), options.layouts.end(), true);
  if (!options.into.empty()) {
    if (flags > 0 || options.tree) fail(ErrorCode::usage, "--into has a form of its own: leave the layout out");
    return run_into(invocation, options);
  }
  if (options.to.empty()) {
    throw Error(ErrorCode::usage, "where to? neither --to nor --into is there",
                "--to FOLDER writes it there; --into podman, docker or ctr gives an image to the engine of this host");
  }
  if (flags > 1) fail(ErrorCode::usage, "one layout at a time");
  const auto at = std::find(options.layouts.begin(), options.layouts.end(), true) - options.layouts.begin();
  const auto* layout = flags == 1 ? &export_layouts()[static_cast<std::size_t>(at)] : nullptr;
  if (!options.image_name.empty() && (layout == nullptr || layout->flag != "--oci-archive"))
    fail(ErrorCode::usage, "--image-name is for --oci-archive and --into");
  if (layout != nullptr) return run_layout(invocation, *layout, options);
  if (options.name.empty()) fail(ErrorCode::usage, "name what is to be exported, as `liftlock ls` lists it");
  check_target(options.to);
  const auto site = invocation.site();
  const OpenStore store(site, "export", Access::read);
  const auto artifact = require_artifact(store.catalog, options.name);
  warn_of_other_contents(store.catalog, artifact, options.name, invocation.reporter());
  require_blobs(site, store, artifact);
  const auto files =
      export_artifact(store.blobs, artifact, options.to, layout_of(artifact, options), invocation.reporter());
  if (artifact.kind == oci::k_image_kind) {
    write_oci_layout(artifact, options.tree ? fs::path(options.to) / "images" : fs::path(options.to));
  }
  print_files(invocation, {artifact.id()}, files);
}

}  // namespace

void add_store_export(CLI::App& app, Invocation& invocation) {
  auto* command =
      app.add_subcommand("export", "Write an artifact's files to a folder, each checked while it is copied");
  auto options = std::make_shared<Options>();
  add_artifact_argument(*command, "ID", options->name);
  auto* to = command->add_option(
      "--to", options->to,
      "The folder (or the file); made when missing. What is there with other bytes is never replaced");
  command
      ->add_option(
          "--into", options->into,
          fmt::format("Instead of a folder: give an image to the engine of this host ({}), and compare what it "
                      "has then with the image's digest",
                      fmt::join(local_engines(), ", ")))
      ->excludes(to);
  command->add_flag("--tree", options->tree,
                    "Keep the folders of a bundle (packages/pypi/…), for several exports to one place");
  for (std::size_t i = 0; i < export_layouts().size(); ++i) {
    const auto& layout = export_layouts()[i];
    command->add_flag_callback(
        std::string(layout.flag), [options, i] { options->layouts[i] = true; }, std::string(layout.doc));
  }
  command
      ->add_option("--ollama-name", options->ollama_name,
                   "[HOST/][NAMESPACE/]MODEL[:TAG] that Ollama shall know it by (default: as it was called there, else "
                   "NAME:latest)")
      ->needs("--ollama-store");
  command->add_option(
      "--image-name", options->image_name,
      "HOST/NAME:TAG that a node shall know the image by (default: as its upstream called it; without an "
      "upstream docker.io/NAME:TAG, which is what a cluster makes of NAME:TAG)");
  command->footer(
      "Prints lines that `sha256sum -c` reads. The files are copies: editing them leaves the store as it is.\n"
      "An image becomes an OCI layout: skopeo copy oci:DIR:NAME:TAG …; several images may share the folder.\n"
      "Examples:\n  liftlock export tinyllama --to ./models\n  liftlock export --wheelhouse --to ./wheelhouse\n"
      "  liftlock export --go-proxy --to ./go && GOPROXY=file://$PWD/go GOSUMDB=off go build ./...\n"
      "  liftlock export tinyllama --to ~/.cache/huggingface/hub --hf-cache\n"
      "  liftlock export tinyllama --to /usr/share/ollama/.ollama/models --ollama-store\n"
      "  liftlock export team/app --to app.tar --oci-archive && ctr -n k8s.io images import app.tar\n"
      "  liftlock export team/app --into podman");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
