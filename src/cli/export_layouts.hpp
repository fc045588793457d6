// Layouts in which `export` gives artifacts back, for the programs that made or read them. One file per layout
// (export_*.cpp), one line in the table of export_layouts.cpp.
#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/artifact.hpp"
#include "base/reporter.hpp"
#include "cli/store_view.hpp"
#include "store/maintenance.hpp"

namespace liftlock {

struct LayoutOrder {
  const OpenStore& store;
  std::vector<Artifact> artifacts;  ///< each of a kind that the layout is for; at least one
  fs::path to;
  Reporter& reporter;
  std::string ollama_name = {};  ///< what Ollama shall know the model by; empty: as it is called
  std::string image_name = {};   ///< what a node shall know the image by; empty: as its upstream called it
};

struct NamedLayout {
  std::string_view flag;  ///< "--wheelhouse"
  std::string_view doc;
  std::vector<std::string_view> kinds;                                             ///< what it is for
  enum class Without : std::uint8_t { refuse, all } without_id = Without::refuse;  ///< what no ID means
  enum class To : std::uint8_t { folder, file } to = To::folder;
  /// Everything that was written, checked against its digest while it was copied.
  std::vector<ExportedFile> (*write)(const LayoutOrder&) = nullptr;
};

std::span<const NamedLayout> export_layouts();

std::vector<ExportedFile> export_wheelhouse(const LayoutOrder& order);
std::vector<ExportedFile> export_debs(const LayoutOrder& order);
std::vector<ExportedFile> export_rpms(const LayoutOrder& order);
std::vector<ExportedFile> export_npm_cache(const LayoutOrder& order);
std::vector<ExportedFile> export_crates(const LayoutOrder& order);
std::vector<ExportedFile> export_go_proxy(const LayoutOrder& order);
std::vector<ExportedFile> export_maven_repository(const LayoutOrder& order);
std::vector<ExportedFile> export_charts(const LayoutOrder& order);
std::vector<ExportedFile> export_model_folder(const LayoutOrder& order);
std::vector<ExportedFile> export_docker_archive(const LayoutOrder& order);
std::vector<ExportedFile> export_oci_archive(const LayoutOrder& order);
std::vector<ExportedFile> export_hub_cache(const LayoutOrder& order);
std::vector<ExportedFile> export_ollama_store(const LayoutOrder& order);

/// Those of the order and what they need, as far as it is of these kinds and here.
std::vector<Artifact> with_needs(const LayoutOrder& order, const std::set<std::string_view>& kinds);

/// Refuses a document of an export that stands there with another text: an index that names other files.
/// @throws Error{immutable}
void require_same_document(const fs::path& path, std::string_view text);

/// Writes FOLDER/NAME, a list of digests that `sha256sum -c` reads there, and adds it to `files`. It replaces one that
/// lists the same files, and no other. @throws Error{immutable}
void write_export_list(const fs::path& folder, std::string_view name, std::vector<ExportedFile>& files);

}  // namespace liftlock
