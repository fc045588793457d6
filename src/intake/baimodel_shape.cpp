#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/model/baimodel.hpp"
#include "intake/model_artifact.hpp"
#include "intake/shape.hpp"

namespace liftlock {
namespace {

constexpr std::uint64_t k_max_signature = 1u << 20;
constexpr std::size_t k_max_signatures = 64;

/// What an older package says of itself, beside what it is.
void warn_about(Found& found, const BaimodelManifest& manifest) {
  bool unsafe = false;
  for (const auto& file : found.files) unsafe = unsafe || !why_unsafe_model_file(file.path).empty();
  if (unsafe) found.notes.emplace_back("it holds formats that can run code when they are loaded: it will be refused");
  if (manifest.format == "gguf" || manifest.format.empty()) return;
  found.notes.push_back(fmt::format("manifest.json calls the format '{}'", printable(manifest.format)));
}

SignedDocument signed_manifest(const Tree& tree, const BaimodelEntries& entries, std::string text) {
  SignedDocument out{.text = std::move(text), .signatures = {}, .what = std::string(k_baimodel_manifest)};
  if (entries.signatures.size() > k_max_signatures)
    fail(ErrorCode::limit_exceeded, "the package has more than {} signatures", k_max_signatures);
  for (const auto& path : entries.signatures)
    out.signatures.push_back({std::string(path.filename()), tree.read(path.text(), k_max_signature)});
  return out;
}

}  // namespace

std::optional<Found> recognise_baimodel(const std::shared_ptr<const Tree>& tree, const ImportCells&) {
  const bool named = to_lower(tree->name()).ends_with(k_baimodel_ending);
  const auto& paths = tree->paths();
  const bool formed = tree->has(k_baimodel_manifest) && std::any_of(paths.begin(), paths.end(), [](const auto& path) {
                        return path.starts_with(k_baimodel_model);
                      });
  if (!named && !formed) return std::nullopt;
  if (named && tree->has(tree->name())) {
    throw Error(ErrorCode::package_malformed, fmt::format("'{}' is no zip archive", printable(tree->name())),
                "export it again at its origin");
  }
  // Other folders may have a manifest.json and model/, too: a package says so by its checksums.
  if (!named && tree->read(k_baimodel_manifest, k_max_baimodel_manifest).find("\"checksums\"") == std::string::npos)
    return std::nullopt;
  const auto entries = judge_baimodel_entries(paths);
  auto text = tree->read(k_baimodel_manifest, k_max_baimodel_manifest);
  const auto manifest = parse_baimodel_manifest(text);
  Found found{.shape = "baimodel",
              .words = fmt::format("a .baimodel package of the model {}", printable(manifest.name)),
              .preview = {{"name", manifest.name},
                          {"version", manifest.model_version},
                          {"format", manifest.format},
                          {"quantization", manifest.quantization},
                          {"publisher", manifest.publisher},
                          {"repository", manifest.repository},
                          {"license", manifest.license},
                          {"created_by", manifest.created_by},
                          {"files", entries.model.size()}},
              .files = {},
              .notes = manifest.warnings,
              .document = {},
              .kept = {},
              .make = {}};
  for (auto& warning : compare_baimodel(entries, manifest)) found.notes.push_back(std::move(warning));
  std::uint64_t size = 0;
  for (const auto& path : entries.model) {
    found.files.push_back({tree, path.text(), manifest.checksums.at(path), std::string(k_baimodel_manifest)});
    size += tree->size(path.text());
  }
  found.preview["size"] = size;
  if (entries.metadata) {
    const auto metadata = RelPath::parse(k_baimodel_metadata);
    auto bytes = tree->read(k_baimodel_metadata, k_max_baimodel_metadata);
    (void)with_context("in metadata.json", [&] { return parse_json(bytes, {.max_bytes = k_max_baimodel_metadata}); });
    const auto stated = manifest.checksums.find(metadata);
    if (stated != manifest.checksums.end()) require_stated(bytes, stated->second, metadata.text());
    found.kept.emplace_back(k_baimodel_metadata, std::move(bytes));
  }
  warn_about(found, manifest);
  found.document = signed_manifest(*tree, entries, text);
  found.kept.emplace_back(k_baimodel_manifest, std::move(text));
  found.make = [tree, manifest, entries](StagedFiles& staged) {
    ModelParts parts{.name = manifest.name,
                     .version = manifest.model_version,
                     .license = manifest.license,
                     .facts = {{"source", "baimodel"}},
                     .files = {}};
    if (!manifest.repository.empty()) parts.facts["repository"] = manifest.repository;
    if (!manifest.publisher.empty()) parts.facts["publisher"] = manifest.publisher;
    for (const auto& path : entries.model) {
      parts.files.push_back({.path = path.text().substr(k_baimodel_model.size()),
                             .digest = staged.digest(*tree, path.text()),
                             .origin = tree->name() + "#" + path.text(),
                             .evidence = {{"stated", {{"by", k_baimodel_manifest}}}}});
    }
    return std::vector{make_model(parts, staged)};
  };
  return found;
}

}  // namespace liftlock
