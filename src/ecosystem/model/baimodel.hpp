// A .baimodel package: a zip archive without compression that holds manifest.json, metadata.json where there is one,
// signatures/ and model/. Format: docs/formats/baimodel.md.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/artifact.hpp"
#include "base/digest.hpp"
#include "base/json.hpp"
#include "base/rel_path.hpp"

namespace liftlock {

inline constexpr std::string_view k_baimodel_ending = ".baimodel";
inline constexpr std::string_view k_baimodel_manifest = "manifest.json";
inline constexpr std::string_view k_baimodel_metadata = "metadata.json";
inline constexpr std::string_view k_baimodel_signatures = "signatures/";
inline constexpr std::string_view k_baimodel_model = "model/";

inline constexpr std::uint64_t k_max_baimodel_manifest = 4u << 20;
inline constexpr std::uint64_t k_max_baimodel_metadata = 4u << 20;
inline constexpr std::size_t k_max_baimodel_entries = 10'000;

/// manifest.json. What its author did not state is empty.
struct BaimodelManifest {
  std::uint64_t version = 1;
  std::string name;
  std::string model_version;
  std::string format;        ///< "gguf", "safetensors" …
  std::string quantization;  ///< "Q4_K_M"
  std::string publisher;
  std::string repository;
  std::string license;
  std::string created_by;               ///< program and version
  std::map<RelPath, Digest> checksums;  ///< of entries of the archive: model/… and metadata.json
  std::vector<std::string> warnings;  ///< what a reader would like to know: unknown members, a version that is missing
};

/// @throws Error{json_invalid, json_duplicate_key, schema_violation, path_unsafe, path_collision, limit_exceeded,
/// too_new}
BaimodelManifest parse_baimodel_manifest(std::string_view text);
/// Canonical: equal manifests give equal bytes.
std::string encode_baimodel_manifest(const BaimodelManifest& manifest);

/// Do the entries of an archive and its manifest fit together? What each entry is follows from its name alone.
struct BaimodelEntries {
  std::vector<RelPath> model;       ///< sorted: "model/…"
  std::vector<RelPath> signatures;  ///< sorted: "signatures/…"
  bool metadata = false;
};
/// @param names of all entries, in any order; those of folders end in '/'
/// @throws Error{package_malformed, extra_file, path_unsafe, path_collision, limit_exceeded}
BaimodelEntries judge_baimodel_entries(const std::vector<std::string>& names);
/// Each file of model/ is listed, and each that is listed is there.
/// @return warnings: a metadata.json that nothing vouches for
/// @throws Error{missing_file, extra_file, model_incomplete}
std::vector<std::string> compare_baimodel(const BaimodelEntries& entries, const BaimodelManifest& manifest);

/// What goes into a package of a model of the store.
struct BaimodelPlan {
  BaimodelManifest manifest;
  std::string metadata;  ///< the text of metadata.json; empty: none
  struct File {
    RelPath entry;  ///< "model/…"
    ArtifactFile file;
  };
  std::vector<File> files;            ///< sorted by entry
  std::vector<std::string> left_out;  ///< paths of the artifact, by choice

  std::uint64_t content_size() const;
  /// Of the archive, signatures not counted.
  std::uint64_t package_size() const;
};

enum class Projector : std::uint8_t { with, without };
/// Is it a vision projector (mmproj….gguf), by its name?
bool is_projector_name(std::string_view path);
/// @param inspection what the inspector learnt of the model; metadata.json tells it on
/// @param created_by program and version
/// @throws Error{model_incomplete} when nothing is left
BaimodelPlan plan_baimodel(const Artifact& model, const Json& inspection, Projector projector,
                           std::string_view created_by);

struct NamedText {
  std::string name;
  std::string text;
};
using OpenBlob = std::function<int(const Digest&)>;

/// Writes the package to an empty file: the manifest first, so that it can be judged before anything else is read.
/// Every byte is hashed while it is copied and compared with the plan.
/// @param signatures files of signatures/, over the exact bytes of encode_baimodel_manifest()
/// @param open a descriptor of a file's bytes; stays the caller's
/// @throws Error{blob_corrupt, size_mismatch}
void write_baimodel(const BaimodelPlan& plan, const std::vector<NamedText>& signatures, int out, const OpenBlob& open,
                    const std::function<void(std::uint64_t)>& progress);
/// Reads a package that was just written back from the file, all of it, and compares.
/// @throws Error{digest_mismatch, package_malformed, …}
void verify_baimodel(int file, const std::function<void(std::uint64_t)>& progress);

}  // namespace liftlock
