#include "cli/export_layouts.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "crypto/sha256sums.hpp"

namespace liftlock {

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

void write_export_list(const fs::path& folder, std::string_view name, std::vector<ExportedFile>& files) {
  std::vector<std::string> lines;
  for (const auto& file : files)
    lines.push_back(sha256sums_line(file.digest, file.path.lexically_relative(folder).string()));
  std::sort(lines.begin(), lines.end(), [](const auto& a, const auto& b) { return a.substr(64) < b.substr(64); });
  lines.erase(std::unique(lines.begin(), lines.end()), lines.end());
  std::string text;
  for (const auto& line : lines) text += line;
  const auto path = folder / name;
  if (fs::exists(path) && read_file(path, 64u << 20) != text) {
    throw Error(ErrorCode::immutable,
                fmt::format("'{}' is there already and lists other files", printable(path.string())),
                "export to an empty folder, or remove that file");
  }
  write_file_atomically(path, text);
  files.push_back({path, text.size(), sha256(text)});
}

}  // namespace liftlock
