#include "intake/baiengine.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "engine/package_path.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_where = "manifest.json";
constexpr std::uint64_t k_max_manifest = 4u << 20;
constexpr std::uint64_t k_version = 1;
constexpr std::size_t k_max_text = 256;
constexpr std::size_t k_max_warnings = 20;
constexpr std::size_t k_max_elf = 1000;
constexpr std::uint64_t k_max_signature = 1u << 20;
constexpr std::size_t k_max_signatures = 64;

/// What is started, when manifest.json does not say it.
constexpr std::array<std::string_view, 2> k_programs = {"llama-server", "whisper-cli"};

constexpr std::array<std::string_view, 18> k_known = {"format_version", "schemaVersion",
                                                      "name",           "id",
                                                      "version",        "os",
                                                      "arch",           "variant",
                                                      "accelerator",    "executables",
                                                      "checksums",      "acceleratorVersion",
                                                      "license",        "publisher",
                                                      "created_by",     "minAppVersion",
                                                      "source",         "supportedFormats"};

std::string short_text(const Json& json, std::string_view key) {
  auto text = string_member_or(json, key, "", k_where);
  if (text.size() > k_max_text || printable(text) != text)
    fail(ErrorCode::schema_violation, "{}: '{}' is too long, or not printable", k_where, key);
  return text;
}

std::string architecture_of(const std::string& said) {
  if (said.empty()) return {};
  const auto lower = to_lower(said);
  if (lower == "amd64" || lower == "x86_64" || lower == "x64") return "amd64";
  if (lower == "arm64" || lower == "aarch64") return "arm64";
  throw Error(ErrorCode::engine_unfit, fmt::format("{}: it is made for '{}'", k_where, printable(said)),
              "bring the package for this machine: `liftlock engine hardware` says what it is");
}

/// "cuda" with "12.4" is "cuda12", as engines have it here.
std::string variant_of(const Json& json) {
  if (auto own = short_text(json, "variant"); !own.empty()) return own;
  auto accelerator = to_lower(short_text(json, "accelerator"));
  if (accelerator.empty() || accelerator == "none") return "cpu";
  const auto version = short_text(json, "acceleratorVersion");
  if (accelerator == "cuda") accelerator += version.substr(0, version.find('.'));
  return accelerator;
}

std::string path_in_package(const std::string& path) {
  if (const auto why = engine::why_not_engine_path(path); !why.empty())
    fail(ErrorCode::path_unsafe, "{}: the path '{}': {}", k_where, printable(path), why);
  return path;
}

bool is_content(std::string_view path) {
  return path != k_baiengine_manifest && !path.starts_with(k_baiengine_signatures);
}

void check_files(const Tree& tree, const BaiengineManifest& manifest) {
  if (manifest.checksums.empty()) return;
  for (const auto& path : tree.paths()) {
    if (is_content(path) && !manifest.checksums.contains(path))
      fail(ErrorCode::extra_file, "'{}' is in the package, and {} does not list it", printable(path), k_where);
  }
  for (const auto& [path, stated] : manifest.checksums) {
    if (!tree.has(path)) fail(ErrorCode::missing_file, "{} lists '{}', which is not there", k_where, printable(path));
    const auto range = tree.open(path);
    const auto actual = sha256_of_range(range.fd, range.offset, range.size, printable(path), {});
    if (actual != stated) {
      fail(ErrorCode::digest_mismatch, "'{}' has {} instead of {}, which {} states", printable(path), actual.text(),
           stated.text(), k_where);
    }
  }
}

/// Symlinks and hard links are the same range under another name: it is read once.
engine::OwnPrograms read_programs(const Tree& tree, const BaiengineManifest& manifest, const ImportCells& cells) {
  engine::OwnPrograms own;
  std::map<std::pair<std::uint64_t, std::uint64_t>, engine::ElfFacts> known;
  for (const auto& path : tree.paths()) {
    if (!is_content(path)) continue;
    (void)path_in_package(path);
    const auto range = tree.open(path);
    if (!engine::is_elf(range.fd, range.offset, range.size)) continue;
    if (own.files.size() == k_max_elf)
      fail(ErrorCode::limit_exceeded, "the engine has more than {} programs and libraries", k_max_elf);
    const auto at = std::pair(range.offset, range.size);
    if (!known.contains(at)) {
      known.emplace(
          at, with_context("in " + printable(path), [&] { return cells.elf(range.fd, range.offset, range.size); }));
    }
    own.files.emplace(path, known.at(at));
  }
  const auto is_wanted = [&](const std::string& path) {
    const auto& named = manifest.executables;
    if (!named.empty()) return std::find(named.begin(), named.end(), path) != named.end();
    return std::find(k_programs.begin(), k_programs.end(), engine::name_of_path(path)) != k_programs.end();
  };
  for (const auto& path : manifest.executables) {
    if (!tree.has(path)) fail(ErrorCode::missing_file, "{} names the program '{}'", k_where, printable(path));
    if (!own.files.contains(path)) fail(ErrorCode::engine_malformed, "'{}' is no ELF program", printable(path));
  }
  std::set<std::string, std::less<>> names;
  for (const auto& path : tree.paths()) {
    if (!is_content(path) || !is_wanted(path)) continue;
    if (!own.files.contains(path)) fail(ErrorCode::engine_malformed, "'{}' is no ELF program", printable(path));
    if (!names.emplace(engine::name_of_path(path)).second)
      fail(ErrorCode::engine_malformed, "the engine has two programs '{}'",
           printable(std::string(engine::name_of_path(path))));
    own.programs.push_back(path);
  }
  if (own.programs.empty())
    fail(ErrorCode::engine_malformed, "the package holds no program named {}", fmt::join(k_programs, " or "));
  return own;
}

/// What it says it is made for must be what its programs are.
std::string require_architecture(const Baiengine& package) {
  const auto& first = package.own.files.at(package.own.programs.front()).architecture;
  const auto wanted = package.manifest.architecture.empty() ? first : package.manifest.architecture;
  for (const auto& path : package.own.programs) {
    const auto& actual = package.own.files.at(path).architecture;
    if (actual != wanted)
      fail(ErrorCode::engine_malformed, "'{}' is made for {}, and the package says {}", printable(path), actual,
           wanted);
  }
  return wanted;
}

/// Programs look for their backends beside themselves (ggml does), and packages have them in a folder below.
std::map<std::string, std::string> links_beside(const engine::OwnPrograms& own, const Tree& tree,
                                                const std::string& place) {
  std::map<std::string, std::string> out;
  for (const auto& program : own.programs) {
    const auto folder = engine::folder_of_path(program);
    const auto prefix = folder.empty() ? std::string() : std::string(folder) + "/";
    for (const auto& [path, facts] : own.files) {
      const auto beside = prefix + std::string(engine::name_of_path(path));
      if (!engine::is_library(engine::name_of_path(path)) || !path.starts_with(prefix) || tree.has(beside)) continue;
      out.try_emplace(place + beside, path.substr(prefix.size()));
    }
  }
  return out;
}

std::uint64_t size_of(const std::map<std::string, fs::path>& files) {
  std::uint64_t sum = 0;
  for (const auto& [path, file] : files) sum += fs::file_size(file);
  return sum;
}

}  // namespace

BaiengineManifest parse_baiengine_manifest(std::string_view text) {
  const auto json = parse_json(text, {.max_bytes = k_max_manifest, .max_depth = 16});
  if (!json.is_object()) fail(ErrorCode::engine_malformed, "{} is no object, as that of an engine is", k_where);
  if (json.contains("format_version") && uint_member(json, "format_version", k_where) > k_version)
    fail(ErrorCode::too_new, "the package has format version {}; this program reads {}",
         uint_member(json, "format_version", k_where), k_version);
  BaiengineManifest out;
  out.name = short_text(json, "name");
  if (out.name.empty()) out.name = short_text(json, "id");
  out.version = short_text(json, "version");
  if (trim(out.name).empty() || trim(out.version).empty())
    fail(ErrorCode::schema_violation, "{}: the engine needs a 'name' (or 'id') and a 'version'", k_where);
  if (const auto system = to_lower(short_text(json, "os")); !system.empty() && system != "linux") {
    throw Error(ErrorCode::engine_unfit, fmt::format("{}: it is made for {}", k_where, printable(system)),
                "bring the package for Linux");
  }
  out.architecture = architecture_of(short_text(json, "arch"));
  out.variant = variant_of(json);
  for (const auto& [key, value] : json.items()) {
    if (std::find(k_known.begin(), k_known.end(), key) == k_known.end() && out.warnings.size() < k_max_warnings)
      out.warnings.push_back(fmt::format("{} has a member '{}' that is not known here", k_where, printable(key)));
  }
  if (json.contains("executables")) {
    for (const auto& one : array_member(json, "executables", k_where)) {
      if (!one.is_string()) fail(ErrorCode::schema_violation, "{}: an executable must be a path", k_where);
      out.executables.push_back(path_in_package(one.get<std::string>()));
    }
    if (out.executables.size() > k_max_elf) fail(ErrorCode::limit_exceeded, "{}: too many executables", k_where);
  }
  if (!json.contains("checksums")) return out;
  for (const auto& [path, digest] : object_member(json, "checksums", k_where).items()) {
    if (!digest.is_string()) fail(ErrorCode::schema_violation, "{}: the checksum of '{}'", k_where, printable(path));
    const auto hex = to_lower(digest.get<std::string>());
    constexpr std::string_view k_sha256 = "sha256:";
    out.checksums.emplace(path_in_package(path),
                          Digest::parse_sha256_hex(hex.starts_with(k_sha256) ? hex.substr(k_sha256.size()) : hex));
  }
  if (out.checksums.empty()) fail(ErrorCode::schema_violation, "{}: 'checksums' lists nothing", k_where);
  return out;
}

Baiengine open_baiengine(std::shared_ptr<const UniqueFd> file, const std::string& name, const ImportCells& cells) {
  Baiengine out;
  out.name = name;
  if (container_form(file->get()).empty()) {
    throw Error(ErrorCode::engine_malformed, fmt::format("'{}' is neither a tar nor a zip archive", printable(name)),
                "export it again at its origin");
  }
  out.tree = tree_of_file(std::move(file), name, cells);
  if (!out.tree->has(k_baiengine_manifest))
    fail(ErrorCode::engine_malformed, "'{}' has no {}", printable(name), k_where);
  out.manifest_text = out.tree->read(k_baiengine_manifest, k_max_manifest);
  out.manifest = parse_baiengine_manifest(out.manifest_text);
  for (const auto& path : out.tree->paths()) {
    if (!path.starts_with(k_baiengine_signatures)) continue;
    if (out.signatures.size() == k_max_signatures)
      fail(ErrorCode::limit_exceeded, "the package has more than {} signatures", k_max_signatures);
    out.signatures.push_back({std::string(engine::name_of_path(path)), out.tree->read(path, k_max_signature)});
  }
  check_files(*out.tree, out.manifest);
  out.own = read_programs(*out.tree, out.manifest, cells);
  out.manifest.architecture = require_architecture(out);
  return out;
}

BuiltEngine build_on_base(const Baiengine& package, const Digest& digest, std::uint64_t size, const fs::path& engines,
                          const std::string& base, const ImportCells& cells) {
  const auto& said = package.manifest;
  BuiltEngine out;
  std::optional<engine::InstalledEngine> under;
  engine::BaseFit fit;
  engine::EngineManifest manifest{.name = said.name,
                                  .version = said.version,
                                  .variant = said.variant,
                                  .architecture = said.architecture,
                                  .executables = {},
                                  .library_path = {},
                                  .loader = {},
                                  .files = 0,
                                  .unpacked_size = 0,
                                  .inputs = {{package.name, said.version, said.architecture, digest, size}}};
  const auto& first = package.own.programs.front();
  const auto place = fmt::format("usr/libexec/{}/", portable_component(said.name));
  if (package.own.is_static()) {
    manifest.loader = place + first;
  } else {
    auto [chosen, fits] = engine::choose_base(package.own, said.architecture, engines, base, cells.elf);
    manifest.loader = package.own.files.at(first).interpreter.substr(1);
    out.base = engine::EngineBase{full_name(chosen), chosen.facts.package};
    if (!chosen.facts.package.empty()) {
      manifest.inputs.push_back({full_name(chosen), chosen.manifest.version, said.architecture,
                                 Digest::parse(chosen.facts.package), size_of(fits.files)});
    }
    under = std::move(chosen);
    fit = std::move(fits);
    out.notes = fit.notes;
  }
  std::map<std::string, engine::PackedFile> files;
  std::set<std::string> folders;
  std::vector<TreeBytes> open;  // of folders a range owns its descriptor
  for (const auto& path : package.tree->paths()) {
    if (!is_content(path)) continue;
    const auto& range = open.emplace_back(package.tree->open(path));
    const bool program =
        std::find(package.own.programs.begin(), package.own.programs.end(), path) != package.own.programs.end();
    files[place + path] = {range.fd, range.offset, range.size, program};
    if (program) manifest.executables.emplace(engine::name_of_path(path), place + path);
    if (package.own.files.contains(path) && engine::is_library(engine::name_of_path(path)))
      folders.emplace(engine::folder_of_path(place + path));
  }
  manifest.library_path.assign(folders.begin(), folders.end());
  out.package = UniqueFd(::open(engines.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!out.package.valid()) fail_errno("a file in " + engines.string());
  engine::write_on_base(std::move(manifest), files, links_beside(package.own, *package.tree, place),
                        under ? &*under : nullptr, fit, out.package.get());
  return out;
}

}  // namespace liftlock
