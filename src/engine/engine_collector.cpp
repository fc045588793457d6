#include "engine/engine_collector.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/loose_json.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/apt/apt_collector.hpp"
#include "ecosystem/apt/deb_inspector.hpp"
#include "ecosystem/source_files.hpp"
#include "engine/engine_builder.hpp"
#include "os/file.hpp"

namespace liftlock::engine {
namespace {

constexpr std::array<KeySpec, 7> k_own_keys = {{
    {"name", ValueType::string, false, "The engine's name; by default that of the entry.", "\"llama.cpp\""},
    {"variant", ValueType::string, false,
     "What CPU it is for: cpu (the default), blas, avx2, x86-64-v3 … One for GPUs runs nowhere in this version.",
     "\"x86-64-v3\""},
    {"version", ValueType::string, false, "The engine's version; by default that of the first package.", "\"8941\""},
    {"executables", ValueType::strings, false,
     "Commands that the engine offers; by default those of the first package.", "[\"llama-server\"]"},
    {"library_path", ValueType::strings, false,
     "Folders of libraries that the loader does not find by itself; by default those one below usr/lib/TRIPLET/.",
     "[\"usr/lib/x86_64-linux-gnu/llama\"]"},
    {"archive", ValueType::string, false,
     "A tar or zip with the engine as its makers publish it, a local file or a URL; packages then holds what it needs.",
     "\"https://downloads.example/llama-b8146-bin-ubuntu-x64.tar.gz\""},
    {"sha256", ValueType::string, false,
     "SHA-256 of the archive as its makers state it; without it the first download is believed, and the lock says so.",
     "\"…64 hexadecimal digits…\""},
}};

std::string oci_architecture(std::string_view platform) {
  const auto parts = split(platform, '/');
  return std::string(parts.size() > 1 ? parts[1] : platform);
}

constexpr std::string_view k_archive = "archive";

/// What a build needs, as it stands in the lock.
struct Recipe {
  std::string main_package;  ///< empty with an archive
  std::vector<std::string> executables, library_path;
  std::vector<Artifact> inputs;  ///< of kind deb, or k_archive
};

/// "openssl (3.0.9-1)": what advisories call the package. Empty where it is the package's own name.
std::string source_of(const Artifact& deb) {
  constexpr std::string_view k_field = "Source:";
  const auto stanza = text_in(deb.facts, "stanza");
  for (const auto line : split(stanza, '\n')) {
    if (line.starts_with(k_field)) return std::string(trim(line.substr(k_field.size())));
  }
  return {};
}

Json recipe_to_json(const Recipe& recipe) {
  auto inputs = Json::array();
  for (const auto& one : recipe.inputs) {
    const auto& file = one.files.at(0);
    Json evidence = file.evidence.at(0).details;
    evidence["type"] = file.evidence[0].type;
    inputs.push_back({{"name", one.name},
                      {"version", one.version},
                      {"architecture", string_member(one.facts, "architecture", one.id())},
                      {"size", file.size},
                      {"sha256", file.digest.hex()},
                      {"origin", file.origin},
                      {"evidence", std::move(evidence)}});
    if (one.kind == k_archive) inputs.back()["form"] = k_archive;
    if (auto source = source_of(one); !source.empty()) inputs.back()["source"] = std::move(source);
  }
  return {{"by", "liftlock.engine/1"},
          {"main_package", recipe.main_package},
          {"executables", recipe.executables},
          {"library_path", recipe.library_path},
          {"inputs", std::move(inputs)}};
}

std::vector<std::string> strings_of(const Json& object, std::string_view key, std::string_view where) {
  std::vector<std::string> out;
  for (const auto& value : array_member(object, key, where)) {
    if (!value.is_string()) fail(ErrorCode::schema_violation, "{}: '{}' must hold strings", where, key);
    out.push_back(value.get<std::string>());
  }
  return out;
}

struct LockedInput {
  EngineInput source;
  InputForm form = InputForm::deb;
  std::string origin;
};

struct LockedRecipe {
  BuildPlan plan;
  std::vector<LockedInput> inputs;
};

/// @throws Error{schema_violation} when the artifact was not made by this collector
LockedRecipe read_recipe(const Artifact& artifact) {
  const auto where = artifact.id();
  const auto& evidence = artifact.files.at(0).evidence;
  const auto found =
      std::find_if(evidence.begin(), evidence.end(), [](const auto& one) { return one.type == "derived"; });
  if (found == evidence.end())
    fail(ErrorCode::schema_violation, "{}: its evidence does not say what it was made of", where);
  LockedRecipe out;
  out.plan.name = string_member(artifact.facts, "engine", where);
  out.plan.version = artifact.version;
  out.plan.variant = string_member(artifact.facts, "variant", where);
  out.plan.architecture = string_member(artifact.facts, "architecture", where);
  out.plan.main_package = string_member(found->details, "main_package", where);
  out.plan.executables = strings_of(found->details, "executables", where);
  out.plan.library_path = strings_of(found->details, "library_path", where);
  for (const auto& input : array_member(found->details, "inputs", where)) {
    out.inputs.push_back({{.name = string_member(input, "name", where),
                           .version = string_member(input, "version", where),
                           .architecture = string_member(input, "architecture", where),
                           .digest = Digest::parse_sha256_hex(string_member(input, "sha256", where)),
                           .size = uint_member(input, "size", where)},
                          input.value("form", std::string()) == k_archive ? InputForm::archive : InputForm::deb,
                          string_member(input, "origin", where)});
  }
  return out;
}

void fetch_inputs(const LockedRecipe& recipe, const StackEntry& entry, CollectContext& context) {
  std::vector<FetchJob> jobs;
  for (const auto& input : recipe.inputs) {
    if (input.form == InputForm::archive) {
      if (context.store.contains(input.source.digest)) continue;
      const ArtifactFile file{.path = RelPath::parse(input.source.name),
                              .size = input.source.size,
                              .digest = input.source.digest,
                              .origin = input.origin,
                              .evidence = {}};
      jobs.push_back(job_for(file, entry, context, {}));
      continue;
    }
    jobs.push_back({.title = fmt::format("{} {}", input.source.name, input.source.version),
                    .digest = input.source.digest,
                    .size = input.source.size,
                    .url = input.origin,
                    .headers = {},
                    .produce = {}});
  }
  (void)context.downloader.fetch(jobs);
}

EngineManifest build(const LockedRecipe& recipe, const BlobStore& store, const fs::path& scratch, int out) {
  std::vector<BuildInput> inputs;
  // The blobs are hashed again: what is built must be of what was believed. A file that is only referred to can change
  // between the two readings; path() makes a copy of it.
  for (const auto& input : recipe.inputs) {
    const auto& digest = input.source.digest;
    auto file = store.holds(digest) ? store.open(digest) : open_file(store.path(digest), O_RDONLY | O_NOFOLLOW);
    if (sha256_of_file(file.get(), input.source.name) != digest) {
      fail(ErrorCode::blob_corrupt, "the package {} in the store", input.source.name);
    }
    inputs.push_back({input.source, std::move(file), input.form});
  }
  return build_engine(recipe.plan, inputs, out, scratch.string());
}

TakenFile take_file(const std::string& source, const std::optional<Digest>& stated, const StackEntry& entry,
                    CollectContext& context) {
  if (is_url(source)) {
    refuse_credentials(source, entry.where());
    return take_url(context, source, stated);
  }
  const auto files = list_local_files(stack_path(source, context.stack_folder));
  if (files.size() != 1) fail(ErrorCode::stack_invalid, "{}: the archive must be one file", entry.where());
  return take_local_files(context, "lock-engine-" + portable_component(entry.name), files).at(0);
}

/// The archive of an entry, taken into the store.
Artifact take_archive(const StackEntry& entry, CollectContext& context, std::vector<std::string>& notes) {
  const auto source = entry.text("archive");
  std::optional<Digest> stated;
  if (entry.values.contains("sha256")) stated = parse_stated_digest(entry.text("sha256"), entry.where());
  Artifact out;
  out.kind = k_archive;
  out.version = entry.text("version");
  if (out.version.empty()) {
    throw Error(ErrorCode::stack_invalid, fmt::format("{}: an archive does not say its version", entry.where()),
                "add: version = \"b8146\"");
  }
  const auto taken = take_file(source, stated, entry, context);
  out.name = portable_component(is_url(source) ? file_name_of_url(source) : fs::path(source).filename().string());
  if (stated && taken.digest != *stated) {
    fail(ErrorCode::digest_mismatch, "'{}' has the SHA-256 {}; {} states {}", printable(source), taken.digest.hex(),
         entry.where(), stated->hex());
  }
  if (!stated) notes.push_back(fmt::format("{} is believed on first use: sha256:{}", out.name, taken.digest.hex()));
  out.facts = {{"architecture", oci_architecture(context.platform)}};
  out.files.push_back({.path = RelPath::parse("engines") / out.name,
                       .size = taken.size,
                       .digest = taken.digest,
                       .origin = source,
                       .evidence = {stated ? stated_evidence("stack") : first_use_evidence()}});
  return out;
}

/// The version of the package that is named first.
std::string version_of_main(const std::string& main, const std::vector<Artifact>& debs, const StackEntry& entry) {
  for (const auto& deb : debs) {
    if (apt::package_of(deb.name) == main) return deb.version;
  }
  fail(ErrorCode::unresolvable, "{}: '{}' is not among what was resolved", entry.where(), main);
}

}  // namespace

EngineCollector::EngineCollector() {
  for (const auto& key : apt::AptCollector().keys()) m_keys.push_back(key);
  m_keys.insert(m_keys.end(), k_own_keys.begin(), k_own_keys.end());
}

std::string_view EngineCollector::summary() const {
  return "an inference engine of Debian packages or a release archive, made relocatable with everything it needs";
}

std::vector<std::filesystem::path> EngineCollector::input_files(const StackEntry& entry,
                                                                const std::filesystem::path& stack_folder) const {
  auto files = apt::AptCollector().input_files(entry, stack_folder);
  if (const auto archive = entry.text("archive"); !archive.empty() && !is_url(archive)) files.emplace_back(archive);
  return files;
}

Collected EngineCollector::resolve(const StackEntry& entry, CollectContext& context) const {
  auto closure = apt::AptCollector().resolve(entry, context);
  const auto packages = entry.texts("packages");
  auto main = packages.at(0).substr(0, packages[0].find_first_of(":=/"));
  const auto main_version = version_of_main(main, closure.artifacts, entry);

  const auto proofs = std::stable_partition(closure.artifacts.begin(), closure.artifacts.end(),
                                            [](const auto& one) { return one.kind == "deb"; });
  Collected collected{.artifacts = {proofs, closure.artifacts.end()}, .notes = std::move(closure.notes)};
  closure.artifacts.erase(proofs, closure.artifacts.end());
  if (!entry.text("archive").empty()) {
    main.clear();
    closure.artifacts.push_back(take_archive(entry, context, collected.notes));
  }
  Recipe recipe{main, entry.texts("executables"), entry.texts("library_path"), std::move(closure.artifacts)};
  Artifact artifact;
  artifact.kind = "engine";
  const auto engine = entry.text("name", entry.name);
  const auto variant = entry.text("variant", "cpu");
  artifact.name = variant == "cpu" ? engine : fmt::format("{}-{}", engine, variant);
  artifact.version = entry.text("version", main_version);
  const auto architecture = oci_architecture(context.platform);
  artifact.facts = {{"engine", engine}, {"variant", variant}, {"architecture", architecture}};
  const auto file_name =
      portable_component(fmt::format("{}-{}-{}-{}.tar", engine, artifact.version, variant, architecture));
  artifact.files.push_back({.path = RelPath::parse("engines") / file_name,
                            .size = 0,
                            .digest = sha256(std::string_view()),
                            .origin = "made of what the evidence lists",
                            .evidence = {{"derived", recipe_to_json(recipe)}}});

  const auto locked = read_recipe(artifact);
  fetch_inputs(locked, entry, context);
  EngineManifest manifest;
  const auto results = context.downloader.fetch(
      {{.title = file_name,
        .digest = std::nullopt,
        .size = std::nullopt,
        .url = {},
        .headers = {},
        .produce = [&](int out) { manifest = build(locked, context.store, context.scratch, out); }}});
  artifact.files[0].digest = results.at(0).digest;
  artifact.files[0].size = results[0].size;
  artifact.facts["executables"] = manifest.executables;
  artifact.facts["library_path"] = manifest.library_path;
  artifact.facts["loader"] = manifest.loader;
  collected.artifacts.push_back(std::move(artifact));
  std::sort(collected.artifacts.begin(), collected.artifacts.end(),
            [](const auto& a, const auto& b) { return a.id() < b.id(); });
  return collected;
}

std::vector<FetchJob> EngineCollector::plan(const Artifact& artifact, const StackEntry& entry,
                                            CollectContext& context) const {
  if (artifact.kind != "engine") return Collector::plan(artifact, entry, context);
  const auto& file = artifact.files.at(0);
  if (context.store.contains(file.digest)) return {};
  auto recipe = std::make_shared<const LockedRecipe>(read_recipe(artifact));
  fetch_inputs(*recipe, entry, context);
  const BlobStore& store = context.store;
  const auto scratch = context.scratch;
  return {{.title = std::string(file.path.filename()),
           .digest = file.digest,
           .size = file.size,
           .url = {},
           .headers = {},
           .produce = [recipe, &store, scratch](int out) { (void)build(*recipe, store, scratch, out); }}};
}

}  // namespace liftlock::engine
