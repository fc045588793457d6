#include "cli/export_layouts.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "crypto/sha256sums.hpp"

namespace liftlock {
namespace {

constexpr std::uint64_t k_max_document = 64u << 20;

}  // namespace

std::span<const NamedLayout> export_layouts() {
  static const std::vector<NamedLayout> k_layouts = {
      {.flag = "--wheelhouse",
       .doc = "A folder that `pip install --no-index --find-links` reads: ID and what it needs, or every wheel",
       .kinds = {"wheel", "sdist"},
       .without_id = NamedLayout::Without::all,
       .write = export_wheelhouse},
      {.flag = "--debs",
       .doc = "A folder of .deb files: ID and what it needs, or every one",
       .kinds = {"deb"},
       .without_id = NamedLayout::Without::all,
       .write = export_debs},
      {.flag = "--rpms",
       .doc = "A folder of .rpm files: ID and what it needs, or every one",
       .kinds = {"rpm"},
       .without_id = NamedLayout::Without::all,
       .write = export_rpms},
      {.flag = "--npm-cache",
       .doc = "The folder is npm's cache: `npm ci --offline --cache`. ID and what it needs, or every package",
       .kinds = {"npm"},
       .without_id = NamedLayout::Without::all,
       .write = export_npm_cache},
      {.flag = "--crates",
       .doc = "A local registry of cargo, with its .cargo/config.toml: ID and what it needs, or every crate",
       .kinds = {"crate"},
       .without_id = NamedLayout::Without::all,
       .write = export_crates},
      {.flag = "--go-proxy",
       .doc = "A folder for `GOPROXY=file://…`: ID and what it needs, or every Go module",
       .kinds = {"go-module"},
       .without_id = NamedLayout::Without::all,
       .write = export_go_proxy},
      {.flag = "--maven-repository",
       .doc = "A Maven repository for file://… or a web server: ID and what it needs, or all there is",
       .kinds = {"maven"},
       .without_id = NamedLayout::Without::all,
       .write = export_maven_repository},
      {.flag = "--charts",
       .doc = "Charts with the index.yaml of a chart repository, for a web server: ID, or every chart",
       .kinds = {"chart"},
       .without_id = NamedLayout::Without::all,
       .write = export_charts},
      {.flag = "--model-folder",
       .doc = "The model's files with MODEL_MANIFEST.sha256",
       .kinds = {"model"},
       .write = export_model_folder},
      {.flag = "--hf-cache",
       .doc = "A model or a data set in huggingface_hub's cache: the folder is its HF_HUB_CACHE",
       .kinds = {"model", "dataset"},
       .write = export_hub_cache},
      {.flag = "--ollama-store",
       .doc = "A model in a store of Ollama: the folder is its OLLAMA_MODELS",
       .kinds = {"model"},
       .write = export_ollama_store},
      {.flag = "--docker-archive",
       .doc = "A file for `docker load` and `podman load`: one image of one platform",
       .kinds = {"image"},
       .to = NamedLayout::To::file,
       .write = export_docker_archive},
      {.flag = "--oci-archive",
       .doc = "A file for `ctr images import` and `podman load`: one image, its digest and platforms kept",
       .kinds = {"image"},
       .to = NamedLayout::To::file,
       .write = export_oci_archive},
  };
  return k_layouts;
}

void require_same_document(const fs::path& path, std::string_view text) {
  if (!fs::exists(path) || read_file(path, k_max_document) == text) return;
  throw Error(ErrorCode::immutable,
              fmt::format("'{}' is there already and lists other files", printable(path.string())),
              "export to an empty folder, or remove that file");
}

void write_export_list(const fs::path& folder, std::string_view name, std::vector<ExportedFile>& files) {
  std::vector<std::string> lines;
  for (const auto& file : files)
    lines.push_back(sha256sums_line(file.digest, file.path.lexically_relative(folder).string()));
  std::sort(lines.begin(), lines.end(), [](const auto& a, const auto& b) { return a.substr(64) < b.substr(64); });
  lines.erase(std::unique(lines.begin(), lines.end()), lines.end());
  std::string text;
  for (const auto& line : lines) text += line;
  const auto path = folder / name;
  require_same_document(path, text);
  write_file_atomically(path, text);
  files.push_back({path, text.size(), sha256(text)});
}

}  // namespace liftlock
