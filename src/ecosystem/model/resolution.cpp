#include "ecosystem/model/resolution.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <vector>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/portable_names.hpp"
#include "crypto/sha256sums.hpp"
#include "ecosystem/hub/git_oid.hpp"
#include "ecosystem/model/content.hpp"
#include "ecosystem/model/dataset.hpp"
#include "ecosystem/model/ollama_registry.hpp"
#include "ecosystem/ollama/modelfile.hpp"
#include "ecosystem/ollama/store_reader.hpp"
#include "ecosystem/source_files.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_ollama = "ollama:";

/// What the stack states of digests: taken one by one, so that what is left over was misspelt.
class StatedDigests {
 public:
  explicit StatedDigests(const StackEntry& entry) : m_where(entry.where()) {
    const auto found = entry.values.find("sha256");
    if (found == entry.values.end()) return;
    for (const auto& [path, hex] : found->items()) {
      m_digests.emplace(path, parse_stated_digest(hex.get<std::string>(), m_where));
    }
  }
  std::optional<Digest> take(const std::string& path) {
    const auto found = m_digests.find(path);
    if (found == m_digests.end()) return std::nullopt;
    const auto digest = found->second;
    m_digests.erase(found);
    return digest;
  }
  void finish() const {
    if (m_digests.empty()) return;
    fail(ErrorCode::stack_invalid, "{}: sha256 names '{}', which is not among the files", m_where,
         printable(m_digests.begin()->first));
  }

 private:
  std::string m_where;
  std::map<std::string, Digest> m_digests;
};

void require_equal(const Digest& actual, const Digest& stated, const std::string& path, std::string_view by) {
  if (actual == stated) return;
  fail(ErrorCode::digest_mismatch, "'{}' has the SHA-256 {}; {} states {}", printable(path), actual.hex(), by,
       stated.hex());
}

/// One entry being resolved.
class Resolution {
 public:
  Resolution(const ModelShape& shape, const StackEntry& entry, CollectContext& context)
      : m_shape(shape), m_entry(entry), m_context(context), m_stated(entry) {
    m_artifact.kind = shape.kind;
    m_artifact.name = portable_component(entry.text("name", entry.name));
    m_artifact.version = entry.text("version");
    m_artifact.license = entry.text("license");
  }

  Collected run() {
    const auto source = m_entry.text("source");
    if (is_url(source)) refuse_credentials(source, m_entry.where());  // before any error repeats it
    if (source.starts_with("hf:")) {
      from_hub(source);
    } else if (m_shape.hub == HubKind::models && is_ollama(source)) {
      from_ollama(source);
    } else if (m_shape.hub == HubKind::models && is_ollama_registry(source)) {
      from_ollama_registry(source);
    } else if (is_of_registry(source)) {
      refuse_registry(source);
    } else if (is_url(source)) {
      from_url(source);
    } else {
      from_local(source);
    }
    m_stated.finish();
    require_bytes();
    std::sort(m_artifact.files.begin(), m_artifact.files.end(),
              [](const auto& a, const auto& b) { return a.path < b.path; });
    if (m_artifact.version.empty()) m_artifact.version = content_version();
    Collected out;
    out.artifacts.push_back(std::move(m_artifact));
    out.notes = std::move(m_notes);
    return out;
  }

 private:
  void from_hub(const std::string& source);
  void from_url(const std::string& url);
  void from_local(const std::string& source);
  void from_ollama(const std::string& source);
  void from_ollama_registry(const std::string& source);
  [[noreturn]] void refuse_registry(const std::string& source) const;
  void tell_of_modelfile(const std::vector<LocalFile>& files);
  void add_hub_files(const HubClient& hub, const std::string& repository, const std::string& commit,
                     const std::vector<HubFile>& files);
  void require_bytes() const;
  bool selected(const std::string& path);
  void add(const std::string& path, const TakenFile& taken, std::string origin, std::vector<Evidence> evidence);
  std::map<std::string, Digest> manifest(const std::vector<LocalFile>& files) const;

  std::string content_version() const {
    std::vector<ListedDigest> listed;
    for (const auto& file : m_artifact.files) listed.push_back({file.path.text(), file.digest});
    return directory_hash(listed).hex().substr(0, 12);
  }

  const ModelShape& m_shape;
  const StackEntry& m_entry;
  CollectContext& m_context;
  StatedDigests m_stated;
  Artifact m_artifact;
  std::vector<std::string> m_notes;
};

bool Resolution::selected(const std::string& path) {
  const auto include = m_entry.texts("include");
  if (!is_selected(path, include, m_entry.texts("exclude"))) return false;
  if (!include.empty()) return true;
  const auto why = m_shape.why_unsafe(path);
  if (!why.empty()) m_notes.push_back(fmt::format("{} is left out: {}", printable(path), why));
  return why.empty();
}

/// A download that broke off at once, or a name that was only touched: sooner said than at the inspection.
void Resolution::require_bytes() const {
  if (m_shape.hub != HubKind::models) return;
  const auto has_bytes = [](const ArtifactFile& file) { return file.size > 0; };
  if (std::any_of(m_artifact.files.begin(), m_artifact.files.end(), has_bytes)) return;
  fail(ErrorCode::model_malformed, "{}: nothing of '{}' has a byte", m_entry.where(),
       printable(m_entry.text("source")));
}

void Resolution::add(const std::string& path, const TakenFile& taken, std::string origin,
                     std::vector<Evidence> evidence) {
  if (const auto stated = m_stated.take(path)) {
    require_equal(taken.digest, *stated, path, m_entry.where());
    evidence.push_back(stated_evidence("stack"));
  }
  if (evidence.empty()) {
    evidence.push_back(first_use_evidence());
    m_notes.push_back(fmt::format("{} is believed on first use: sha256:{}", printable(path), taken.digest.hex()));
  }
  m_artifact.files.push_back({.path = RelPath::parse(fmt::format("{}/{}/{}", m_shape.folder, m_artifact.name, path)),
                              .size = taken.size,
                              .digest = taken.digest,
                              .origin = std::move(origin),
                              .evidence = std::move(evidence)});
}

void Resolution::from_hub(const std::string& source) {
  const auto repository = parse_hub_repository(source, m_entry.where());
  const auto wanted = m_entry.text("revision", "main");
  const HubClient hub(m_context.downloader, m_entry.text("endpoint"), m_entry.where(), m_shape.hub);
  const auto revision = hub.revision(repository, wanted);
  if (revision.commit != wanted)
    m_notes.push_back(fmt::format("{} {} is pinned to {}", repository, printable(wanted), revision.commit));
  std::vector<HubFile> files;
  for (auto& file : hub.tree(repository, revision.commit)) {
    // Not "../x", which add_hub_files refuses.
    const bool traversing = file.path.starts_with("../") || file.path.find("/../") != std::string::npos;
    const bool hidden = file.path.starts_with('.') || file.path.find("/.") != std::string::npos;
    if ((traversing || !hidden) && selected(file.path)) files.push_back(std::move(file));
  }
  if (files.empty()) fail(ErrorCode::unresolvable, "{}: no file of {} is left to carry", m_entry.where(), repository);
  if (revision.gated) hub.require_access(repository, hub.resolve_url(repository, revision.commit, files.front().path));
  add_hub_files(hub, repository, revision.commit, files);
  if (m_artifact.license.empty()) m_artifact.license = printable(revision.license);
  if (m_artifact.version.empty()) m_artifact.version = revision.commit.substr(0, 12);
  m_artifact.facts = {{"source", "hf"}, {"repository", repository}, {"commit", revision.commit}};
  // What clients on the high side may ask for as well.
  if (m_entry.values.contains("revision") && wanted != revision.commit) m_artifact.facts["revision"] = wanted;
}

void Resolution::add_hub_files(const HubClient& hub, const std::string& repository, const std::string& commit,
                               const std::vector<HubFile>& files) {
  std::vector<std::string> paths;
  for (const auto& file : files) paths.push_back(file.path);
  require_portable(
      paths, fmt::format("{}: {}", m_entry.where(), repository),
      "leave them out with `exclude`; what the model needs of them: download the repository into a folder, "
      "rename them there, and name the folder as the source");
  // The tree states the SHA-256 of large files only; the small ones are fetched now, and checked by their git name.
  std::vector<FetchJob> jobs;
  for (const auto& file : files) {
    if (file.sha256) continue;
    const auto url = hub.resolve_url(repository, commit, file.path);
    jobs.push_back({.title = file.path,
                    .digest = std::nullopt,
                    .size = file.size,
                    .url = url,
                    .headers = [&hub, url] { return hub.headers(url); },
                    .produce = {}});
  }
  const auto results = m_context.downloader.fetch(jobs);
  std::size_t next = 0;
  for (const auto& file : files) {
    const auto url = hub.resolve_url(repository, commit, file.path);
    const Json details = {{"repository", repository}, {"commit", commit}};
    if (file.sha256) {
      add(file.path, {*file.sha256, file.size}, url, {{"lfs-oid", details}});
      continue;
    }
    const auto& result = results.at(next++);
    const auto blob = m_context.store.open(result.digest);
    if (git_blob_oid(blob.get(), result.size) != file.git_oid) {
      fail(ErrorCode::digest_mismatch, "'{}' of {} is not the git blob {} that the Hub lists", printable(file.path),
           repository, file.git_oid);
    }
    auto with_oid = details;
    with_oid["sha1"] = file.git_oid;
    add(file.path, {result.digest, result.size}, url, {{"git-oid", with_oid}});
  }
}

void Resolution::refuse_registry(const std::string& source) const {
  const bool remote = is_url(source);
  throw Error(
      ErrorCode::stack_invalid,
      fmt::format("{}: '{}' names {}, and no {}", m_entry.where(), printable(source),
                  remote ? "what lies in a registry of images" : "an archive or a layout of images", m_shape.kind),
      fmt::format(
          "a container image goes into [image.{0}] with this source; a {1} that is packed as an OCI artifact (a "
          "ModelKit, ModelPack) is copied here first, `skopeo copy {2} oci:FOLDER`, its layers are unpacked, and "
          "their folder is named: source = \"FOLDER\"{3}",
          m_entry.name, m_shape.kind, remote ? "docker://…" : printable(source),
          m_shape.hub == HubKind::models ? "; a model of a registry that Ollama pulls from is "
                                           "ollama://HOST/NAMESPACE/MODEL:TAG"
                                         : ""));
}

void Resolution::from_url(const std::string& url) {
  const auto name = file_name_of_url(url);
  StatedDigests stated(m_entry);
  add(name, take_url(m_context, url, stated.take(name)), url, {});
  m_artifact.facts = {{"source", "url"}};
}

std::map<std::string, Digest> Resolution::manifest(const std::vector<LocalFile>& files) const {
  std::map<std::string, Digest> out;
  const auto list =
      std::find_if(files.begin(), files.end(), [](const auto& file) { return file.path == k_model_manifest; });
  if (list == files.end()) return out;
  const auto entries = with_context("while reading " + list->at.string(),
                                    [&] { return parse_sha256sums(read_file(list->at, 64u << 20)); });
  for (const auto& entry : entries) {
    const auto path = entry.path.starts_with("./") ? entry.path.substr(2) : entry.path;
    if (path == k_model_manifest || path.starts_with('.')) continue;  // itself, and hidden files, which are not carried
    const bool there = std::any_of(files.begin(), files.end(), [&](const auto& file) { return file.path == path; });
    if (!there) fail(ErrorCode::model_incomplete, "{} names '{}', which is missing", k_model_manifest, printable(path));
    out.emplace(path, entry.digest);
  }
  return out;
}

void Resolution::from_local(const std::string& source) {
  const auto at = stack_path(source, m_context.stack_folder);
  const auto all = list_local_files(at, m_entry.texts("include"));
  const bool folder = fs::is_directory(at);
  if (const auto note = link_note(source, m_context.stack_folder)) m_context.reporter.note(*note);
  const auto listed = manifest(all);
  std::vector<LocalFile> files;
  for (const auto& file : all) {
    if (!folder || selected(file.path)) files.push_back(file);
  }
  if (files.empty()) {
    // Its notes say which were left out because they are code.
    throw Error(ErrorCode::stack_invalid,
                fmt::format("{}: no file of '{}' is left to carry{}{}", m_entry.where(), printable(source),
                            m_notes.empty() ? "" : ": " + m_notes.front(),
                            m_notes.size() > 1 ? fmt::format(", and {} more", m_notes.size() - 1) : ""),
                "look at `include` and `exclude`; what runs code when it is loaded does not cross");
  }
  require_portable(files, m_entry.where());
  const auto taken = take_local_files(
      m_context, fmt::format("lock-{}-{}", m_shape.kind, portable_component(m_entry.name)), files, FilesOf::user);
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto& file = files[i];
    std::vector<Evidence> evidence;
    if (const auto found = listed.find(file.path); found != listed.end()) {
      require_equal(taken[i].digest, found->second, file.path, k_model_manifest);
      evidence.push_back(stated_evidence(k_model_manifest));
    }
    if (file.named) evidence.push_back(stated_evidence("the name of the blob in a Hugging Face cache"));
    auto origin = folder ? origin_below(source, file.path) : source;
    add(file.path, taken[i], std::move(origin), std::move(evidence));
  }
  tell_of_modelfile(files);
  m_artifact.facts = {{"source", "local"}};
}

/// It crosses as it is; on the other side Ollama gets what it says.
void Resolution::tell_of_modelfile(const std::vector<LocalFile>& files) {
  const auto found =
      std::find_if(files.begin(), files.end(), [](const auto& file) { return ollama::is_modelfile(file.path); });
  if (m_shape.hub != HubKind::models || found == files.end()) return;
  if (fs::file_size(found->at) > ollama::k_max_modelfile) {
    m_notes.emplace_back("Modelfile is not used: it is too large");
    return;
  }
  std::vector<std::string> paths;
  for (const auto& file : files) paths.push_back(file.path);
  auto report = ollama::report_on_modelfile(read_file(found->at, ollama::k_max_modelfile), paths);
  m_notes.insert(m_notes.end(), report.notes.begin(), report.notes.end());
}

/// As a store has it, but for the evidence: the manifest is believed on first use, and it states the digest of all
/// else.
void Resolution::from_ollama_registry(const std::string& source) {
  const OllamaRegistry registry(source, m_entry, m_context);
  const auto model = registry.model();
  const auto manifest_digest = m_context.store.put(model.bytes);
  add(std::string(ollama::k_manifest_file), {manifest_digest, model.bytes.size()}, registry.manifest_url(), {});
  std::set<Digest> taken;
  const auto add_layer = [&](const std::string& path, const ollama::Layer& layer) {
    // One blob for two layers: the manifest says what it is for.
    if (!taken.insert(layer.digest).second) return;
    add(path, {layer.digest, layer.size}, registry.blob_url(layer.digest),
        {{"registry-digest", {{"registry", registry.host()}, {"manifest", manifest_digest.text()}}}});
  };
  add_layer(std::string(ollama::k_config_file), model.manifest.config);
  const auto names = ollama::file_names(model.manifest);
  for (std::size_t i = 0; i < names.size(); ++i) add_layer(names[i], model.manifest.layers[i]);
  if (m_artifact.version.empty()) m_artifact.version = manifest_digest.hex().substr(0, 12);
  m_artifact.facts = {{"source", "ollama"}, {"ollama", registry.name().text()}};
}

/// All of one model, or nothing: its manifest crosses with it, and what the mirror serves is the model of this ID.
void Resolution::from_ollama(const std::string&) {
  const auto as_written = ollama_store(m_entry);
  const auto store = ollama::find_store(stack_path(as_written.string(), m_context.stack_folder));
  const auto model = ollama::read_model(store, ollama_name(m_entry));
  const auto names = ollama::file_names(model.manifest);
  // Relative where the stack is, so that the lock does not depend on the machine.
  const auto below =
      store.filename() == "models" && as_written.filename() != "models" ? as_written / "models" : as_written;
  std::vector<LocalFile> files{
      {std::string(ollama::k_manifest_file), ollama::manifest_path(store, model.name), std::nullopt}};
  std::vector<std::string> origins{ollama::manifest_path(below, model.name).string()};
  std::map<Digest, std::string> taken_digests;
  const auto add_layer = [&](std::string path, const ollama::Layer& layer) {
    // A blob may stand for two layers; once is enough, and the manifest says what it is for.
    if (!taken_digests.emplace(layer.digest, path).second) return;
    files.push_back({std::move(path), ollama::blob_path(store, layer.digest), layer.digest});
    origins.push_back(ollama::blob_path(below, layer.digest).string());
  };
  add_layer(std::string(ollama::k_config_file), model.manifest.config);
  for (std::size_t i = 0; i < names.size(); ++i) add_layer(names[i], model.manifest.layers[i]);
  for (const auto& file : files) {
    if (fs::exists(file.at)) continue;
    throw Error(
        ErrorCode::model_incomplete,
        fmt::format("the Ollama model '{}' lacks {}", model.name.text(), printable(file.at.string())),
        fmt::format("`ollama pull {}` again; `liftlock ollama check` finds what else is missing", model.name.text()));
  }
  const auto taken = take_local_files(
      m_context, fmt::format("lock-{}-{}", m_shape.kind, portable_component(m_entry.name)), files, FilesOf::user);
  for (std::size_t i = 0; i < files.size(); ++i) {
    std::vector<Evidence> evidence;
    if (files[i].named) evidence.push_back(stated_evidence("the manifest in Ollama's store"));
    add(files[i].path, taken[i], origins[i], std::move(evidence));
  }
  // What `ollama list` shows as ID.
  if (m_artifact.version.empty()) m_artifact.version = taken[0].digest.hex().substr(0, 12);
  m_artifact.facts = {{"source", "ollama"}, {"ollama", model.name.text()}};
}

}  // namespace

constexpr ModelShape k_model_shape{"model", "models", HubKind::models, why_unsafe_name};
constexpr ModelShape k_dataset_shape{k_dataset_kind, "datasets", HubKind::datasets, why_unsafe_dataset_name};

bool is_ollama(std::string_view source) {
  return source.starts_with(k_ollama) && !is_ollama_registry(source);
}
fs::path ollama_store(const StackEntry& entry) {
  const auto text = entry.text("store");
  return text.empty() ? ollama::default_store() : fs::path(text);
}
ollama::Name ollama_name(const StackEntry& entry) {
  try {
    return ollama::parse_name(
        std::string_view(entry.values.at("source").get_ref<const std::string&>()).substr(k_ollama.size()));
  } catch (const Error& error) {
    throw Error(ErrorCode::stack_invalid, fmt::format("{}: {}", entry.where(), error.what()),
                std::string(error.hint()));
  }
}

Collected resolve_model(const ModelShape& shape, const StackEntry& entry, CollectContext& context) {
  return Resolution(shape, entry, context).run();
}

}  // namespace liftlock
