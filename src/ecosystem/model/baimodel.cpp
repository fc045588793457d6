#include "ecosystem/model/baimodel.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "archive/zip_reader.hpp"
#include "archive/zip_writer.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/loose_json.hpp"
#include "base/portable_names.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_where = "manifest.json";
constexpr std::uint64_t k_version = 1;
constexpr std::size_t k_max_text = 1024;
constexpr std::size_t k_max_warnings = 50;

constexpr std::array<std::string_view, 10> k_members = {"format_version", "name",      "version",    "format",
                                                        "quantization",   "publisher", "repository", "license",
                                                        "created_by",     "checksums"};

std::string short_text(const Json& object, std::string_view key) {
  auto text = string_member_or(object, key, "", k_where);
  if (text.size() > k_max_text) fail(ErrorCode::limit_exceeded, "{}: '{}' is too long", k_where, key);
  return text;
}

/// "sha256:HEX" or HEX, in any case.
Digest checksum(const Json& value, std::string_view path) {
  if (!value.is_string()) fail(ErrorCode::schema_violation, "{}: the checksum of '{}' is no string", k_where, path);
  auto text = to_lower(value.get_ref<const std::string&>());
  if (text.starts_with("sha256:")) text.erase(0, 7);
  return with_context(fmt::format("in the checksum of '{}'", printable(path)),
                      [&] { return Digest::parse_sha256_hex(text); });
}

std::string content_version(const BaimodelPlan& plan) {
  Hasher hasher;
  for (const auto& [path, digest] : plan.manifest.checksums) hasher.update(path.text() + "\n" + digest.hex() + "\n");
  return hasher.finish().hex().substr(0, 12);
}

std::string_view folder_of(const Artifact& model) {
  auto common = model.files.front().path.parent();
  for (const auto& file : model.files) {
    while (!common.empty() && !file.path.is_under(common)) {
      const auto slash = common.rfind('/');
      common = slash == std::string_view::npos ? std::string_view() : common.substr(0, slash);
    }
  }
  return common;
}

}  // namespace

BaimodelManifest parse_baimodel_manifest(std::string_view text) {
  const auto json = parse_json(text, {.max_bytes = k_max_baimodel_manifest, .max_depth = 16});
  if (!json.is_object()) fail(ErrorCode::schema_violation, "{} is no object", k_where);
  BaimodelManifest out;
  const auto warn = [&](std::string words) {
    if (out.warnings.size() < k_max_warnings) out.warnings.push_back(std::move(words));
  };
  if (json.contains("format_version")) {
    out.version = uint_member(json, "format_version", k_where);
    if (out.version == 0 || out.version > k_version) {
      fail(ErrorCode::too_new, "the package has format version {}; this program reads {}", out.version, k_version);
    }
  } else {
    warn("manifest.json does not say its format version; it is read as version 1");
  }
  out.name = short_text(json, "name");
  if (trim(out.name).empty()) fail(ErrorCode::schema_violation, "{}: the model has no 'name'", k_where);
  out.model_version = short_text(json, "version");
  out.format = short_text(json, "format");
  out.quantization = short_text(json, "quantization");
  out.publisher = short_text(json, "publisher");
  out.repository = short_text(json, "repository");
  out.license = short_text(json, "license");
  out.created_by = short_text(json, "created_by");
  for (const auto& [key, value] : json.items()) {
    if (std::find(k_members.begin(), k_members.end(), key) == k_members.end())
      warn(fmt::format("manifest.json has a member '{}' that is not known here", printable(key)));
  }
  const auto& checksums = object_member(json, "checksums", k_where);
  if (checksums.size() > k_max_baimodel_entries)
    fail(ErrorCode::limit_exceeded, "{}: {} checksums, more than {}", k_where, checksums.size(),
         k_max_baimodel_entries);
  for (const auto& [key, value] : checksums.items()) {
    // Packagers that list names below model/ mean the same.
    const bool whole = key.starts_with(k_baimodel_model) || key == k_baimodel_metadata;
    const auto path = RelPath::parse(whole ? key : std::string(k_baimodel_model) + key);
    if (!out.checksums.emplace(path, checksum(value, key)).second)
      fail(ErrorCode::path_collision, "{}: '{}' is listed twice", k_where, path.text());
  }
  if (out.checksums.empty()) fail(ErrorCode::schema_violation, "{}: 'checksums' lists nothing", k_where);
  return out;
}

std::string encode_baimodel_manifest(const BaimodelManifest& manifest) {
  auto checksums = Json::object();
  for (const auto& [path, digest] : manifest.checksums) checksums[path.text()] = digest.hex();
  Json json = {{"format_version", manifest.version}, {"name", manifest.name}, {"checksums", std::move(checksums)}};
  const auto put = [&](const char* key, const std::string& value) {
    if (!value.empty()) json[key] = value;
  };
  put("version", manifest.model_version);
  put("format", manifest.format);
  put("quantization", manifest.quantization);
  put("publisher", manifest.publisher);
  put("repository", manifest.repository);
  put("license", manifest.license);
  put("created_by", manifest.created_by);
  return dump_json(json);
}

BaimodelEntries judge_baimodel_entries(const std::vector<std::string>& names) {
  if (names.size() > k_max_baimodel_entries)
    fail(ErrorCode::limit_exceeded, "the package has {} entries, more than {}", names.size(), k_max_baimodel_entries);
  std::vector<std::string> files;
  std::copy_if(names.begin(), names.end(), std::back_inserter(files),
               [](const auto& name) { return !name.ends_with('/'); });
  require_portable(files, "the package", "it has to be packed again, with other names for these files");
  BaimodelEntries out;
  bool manifest = false;
  std::set<std::string> folded;
  for (const auto& name : names) {
    if (name.ends_with('/')) {
      const bool ours = name == k_baimodel_signatures || name.starts_with(k_baimodel_model);
      if (!ours) fail(ErrorCode::extra_file, "the package has a folder '{}' that is none of it", printable(name));
      continue;
    }
    const auto path = RelPath::parse(name);
    if (!folded.insert(path.case_folded()).second)
      fail(ErrorCode::path_collision, "the package has '{}' twice, when case is ignored", path.text());
    if (name == k_baimodel_manifest) {
      manifest = true;
    } else if (name == k_baimodel_metadata) {
      out.metadata = true;
    } else if (path.is_under("model")) {
      out.model.push_back(path);
    } else if (path.parent() == "signatures") {
      out.signatures.push_back(path);
    } else {
      fail(ErrorCode::extra_file, "the package has a file '{}' that is none of it", path.text());
    }
  }
  if (!manifest) fail(ErrorCode::package_malformed, "the package has no manifest.json");
  if (out.model.empty()) fail(ErrorCode::package_malformed, "the package has nothing in model/");
  std::sort(out.model.begin(), out.model.end());
  std::sort(out.signatures.begin(), out.signatures.end());
  return out;
}

std::vector<std::string> compare_baimodel(const BaimodelEntries& entries, const BaimodelManifest& manifest) {
  for (const auto& path : entries.model) {
    if (!manifest.checksums.contains(path))
      fail(ErrorCode::extra_file, "'{}' is in the package, and manifest.json does not list it", path.text());
  }
  std::vector<std::string> warnings;
  for (const auto& [path, digest] : manifest.checksums) {
    const bool there = path.text() == k_baimodel_metadata
                           ? entries.metadata
                           : std::binary_search(entries.model.begin(), entries.model.end(), path);
    if (!there) fail(ErrorCode::missing_file, "manifest.json lists '{}', which is not in the package", path.text());
  }
  if (entries.metadata && !manifest.checksums.contains(RelPath::parse(k_baimodel_metadata)))
    warnings.emplace_back("metadata.json has no checksum: what it says is shown and counts for nothing");
  return warnings;
}

std::uint64_t BaimodelPlan::content_size() const {
  std::uint64_t size = 0;
  for (const auto& one : files) size += one.file.size;
  return size;
}

std::uint64_t BaimodelPlan::package_size() const {
  std::vector<std::pair<std::string, std::uint64_t>> entries = {
      {std::string(k_baimodel_manifest), encode_baimodel_manifest(manifest).size()}};
  if (!metadata.empty()) entries.emplace_back(k_baimodel_metadata, metadata.size());
  for (const auto& one : files) entries.emplace_back(one.entry.text(), one.file.size);
  return ZipWriter::archive_size(entries);
}

bool is_projector_name(std::string_view path) {
  const auto name = to_lower(path.substr(path.rfind('/') + 1));
  return name.ends_with(".gguf") && name.find("mmproj") != std::string::npos;
}

BaimodelPlan plan_baimodel(const Artifact& model, const Json& inspection, Projector projector,
                           std::string_view created_by) {
  BaimodelPlan plan;
  const auto folder = folder_of(model);
  for (const auto& file : model.files) {
    if (projector == Projector::without && is_projector_name(file.path.text())) {
      plan.left_out.push_back(file.path.text());
      continue;
    }
    const auto below = file.path.text().substr(folder.empty() ? 0 : folder.size() + 1);
    plan.files.push_back({RelPath::parse(std::string(k_baimodel_model) + below), file});
  }
  if (plan.files.empty()) fail(ErrorCode::model_incomplete, "nothing of {} is left to pack", printable(model.id()));
  std::sort(plan.files.begin(), plan.files.end(), [](const auto& a, const auto& b) { return a.entry < b.entry; });
  auto& manifest = plan.manifest;
  manifest.name = model.name;
  const auto formats = inspection.find("formats");
  if (formats != inspection.end() && formats->is_array() && !formats->empty() && formats->front().is_string())
    manifest.format = formats->front().get<std::string>();
  manifest.quantization = text_in(inspection, "quantisation");
  manifest.repository = text_in(model.facts, "repository");
  manifest.publisher = manifest.repository.substr(0, manifest.repository.find('/'));
  manifest.license = model.license.empty() ? text_in(inspection, "license") : model.license;
  manifest.created_by = created_by;
  if (!inspection.empty()) plan.metadata = dump_json({{"liftlock", {{"inspection", inspection}}}});
  for (const auto& one : plan.files) manifest.checksums.emplace(one.entry, one.file.digest);
  if (!plan.metadata.empty()) manifest.checksums.emplace(RelPath::parse(k_baimodel_metadata), sha256(plan.metadata));
  // A model without its projector is another one.
  manifest.model_version = plan.left_out.empty() ? model.version : content_version(plan);
  return plan;
}

void write_baimodel(const BaimodelPlan& plan, const std::vector<NamedText>& signatures, int out, const OpenBlob& open,
                    const std::function<void(std::uint64_t)>& progress) {
  ZipWriter zip(out);
  zip.add(k_baimodel_manifest, encode_baimodel_manifest(plan.manifest));
  if (!plan.metadata.empty()) zip.add(k_baimodel_metadata, plan.metadata);
  for (const auto& signature : signatures) zip.add(std::string(k_baimodel_signatures) + signature.name, signature.text);
  for (const auto& one : plan.files) {
    const auto actual = zip.add(one.entry.text(), open(one.file.digest), one.file.size, progress);
    if (actual != one.file.digest) {
      fail(ErrorCode::blob_corrupt, "the store's own copy of '{}' has {} instead of {}", one.file.path.text(),
           actual.text(), one.file.digest.text());
    }
  }
  zip.finish();
}

void verify_baimodel(int file, const std::function<void(std::uint64_t)>& progress) {
  const ZipReader zip(file, {.entries = k_max_baimodel_entries, .entry_size = 1ull << 44, .ratio = 2});
  std::vector<std::string> names;
  for (const auto& entry : zip.entries()) names.push_back(entry.name);
  const auto entries = judge_baimodel_entries(names);
  const auto manifest = parse_baimodel_manifest(zip.read(*zip.find(k_baimodel_manifest), k_max_baimodel_manifest));
  (void)compare_baimodel(entries, manifest);
  for (const auto& [path, digest] : manifest.checksums) {
    Hasher hasher;
    zip.stream(*zip.find(path.text()), [&](std::span<const std::uint8_t> bytes) {
      hasher.update(bytes);
      if (progress) progress(bytes.size());
    });
    if (const auto actual = hasher.finish(); actual != digest)
      fail(ErrorCode::digest_mismatch, "'{}' has {} instead of {}", path.text(), actual.text(), digest.text());
  }
}

}  // namespace liftlock
