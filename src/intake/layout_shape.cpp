// Bundles as the second and the fifth source document lay them out: images/, models/, packages/ … with checksums.txt at
// the top, or with manifest/bundle.json and signatures/*.sha256. docs/formats/import.md names what these layouts leave
// open, and what is done about it here.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "crypto/sha256sums.hpp"
#include "intake/listing.hpp"
#include "intake/shape.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_bundle_json = "manifest/bundle.json";
constexpr std::uint64_t k_max_bundle_json = 1u << 20;
constexpr std::uint64_t k_max_list = 64u << 20;
constexpr std::string_view k_where = "bundle.json";

/// Folders whose files are kept as they are, and what they are called in the store.
const std::map<std::string, std::string, std::less<>> k_plain = {{"binaries", "binaries"}, {"tools", "binaries"},
                                                                 {"patterns", "patterns"}, {"charts", "charts"},
                                                                 {"certs", "certs"},       {"files", "files"}};

bool has_below(const Tree& tree, std::string_view folder) {
  const auto& paths = tree.paths();
  return std::any_of(paths.begin(), paths.end(), [&](const auto& path) {
    return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
  });
}

struct BundleJson {
  std::string version, creator, host;
  std::optional<Digest> ollama_binary, open_webui_image, models;
};

std::optional<Digest> hash_member(const Json& artifacts, const char* key) {
  if (!artifacts.contains(key)) return std::nullopt;
  return with_context(fmt::format("in '{}' of bundle.json", key),
                      [&] { return Digest::parse_sha256_hex(to_lower(string_member(artifacts, key, k_where))); });
}

BundleJson parse_bundle_json(std::string_view text) {
  const auto json = parse_json(text, {.max_bytes = k_max_bundle_json, .max_depth = 8});
  if (json.is_object() && json.contains("channel")) {
    throw Error(ErrorCode::import_unknown, "this is a bundle of Liftlock, not an import",
                "take it in with `liftlock ingest`");
  }
  const auto& artifacts = object_member(json, "artifacts", k_where);
  return {.version = string_member(json, "bundle_version", k_where),
          .creator = string_member_or(json, "creator", "", k_where),
          .host = string_member_or(json, "low_side_host", "", k_where),
          .ollama_binary = hash_member(artifacts, "ollama_binary"),
          .open_webui_image = hash_member(artifacts, "open_webui_image"),
          .models = hash_member(artifacts, "models_directory_hash")};
}

/// One bundle being understood.
class BundleLayout {
 public:
  BundleLayout(std::shared_ptr<const Tree> tree, const ImportCells& cells) : m_tree(std::move(tree)), m_cells(cells) {}

  std::optional<Found> run() {
    const bool fifth = m_tree->has(k_bundle_json);
    const bool second = m_tree->has("checksums.txt") && (has_below(*m_tree, "images") || has_below(*m_tree, "models"));
    const auto kinds = std::count_if(k_folders.begin(), k_folders.end(), [&](auto f) { return has_below(*m_tree, f); });
    if (!fifth && !(second && kinds > 1)) return std::nullopt;
    m_found.shape = "bundle-layout";
    if (fifth) {
      read_fifth();
    } else {
      read_second();
    }
    take_images();
    take_models();
    take_packages();
    take_plain();
    finish();
    return std::move(m_found);
  }

 private:
  static constexpr std::array<std::string_view, 8> k_folders = {"binaries", "images", "models", "packages",
                                                                "patterns", "charts", "tools",  "certs"};

  void read_fifth() {
    auto text = m_tree->read(k_bundle_json, k_max_bundle_json);
    m_bundle = parse_bundle_json(text);
    m_found.words = fmt::format("a bundle with manifest/bundle.json, version {}", printable(m_bundle->version));
    m_found.preview = {
        {"bundle_version", m_bundle->version}, {"creator", m_bundle->creator}, {"low_side_host", m_bundle->host}};
    m_found.document = SignedDocument{
        .text = text, .signatures = signatures_beside(*m_tree, k_bundle_json), .what = std::string(k_bundle_json)};
    m_found.kept.emplace_back("bundle.json", std::move(text));
    state("binaries/ollama-linux-amd64", m_bundle->ollama_binary, "bundle.json");
    state("images/open-webui.tar", m_bundle->open_webui_image, "bundle.json");
    for (const auto& path : m_tree->paths()) {
      if (!path.starts_with("signatures/") || !path.ends_with(".sha256")) continue;
      const auto entries = with_context("in " + path, [&] { return parse_sha256sums(m_tree->read(path, k_max_list)); });
      for (const auto& entry : entries) {
        if (!m_tree->has(entry.path))
          fail(ErrorCode::missing_file, "{} names '{}', which is not there", path, printable(entry.path));
        state(entry.path, entry.digest, path);
      }
    }
    m_found.notes.emplace_back(
        "bundle.json speaks for binaries/ollama-linux-amd64, images/open-webui.tar and models/ alone: packages/ and "
        "all "
        "else is bound by nothing that a signature over it covers");
  }

  void read_second() {
    const auto listing = find_listing(*m_tree);
    m_found.words = "a bundle with checksums.txt";
    for (const auto& [path, digest] : listing->digests) state(path, digest, listing->path);
    keep_listing(m_found, listing);
    m_is_whole = true;
    if (listing->document.signatures.empty())
      m_found.notes.emplace_back(
          "nobody signed checksums.txt: it travels with what it lists, and finds accidents only");
  }

  /// What a list or bundle.json says of a file.
  void state(const std::string& path, const std::optional<Digest>& digest, const std::string& by) {
    if (!digest || !m_tree->has(path)) {
      if (digest) fail(ErrorCode::missing_file, "{} states a digest of '{}', which is not there", by, path);
      return;
    }
    const auto [at, fresh] = m_stated.emplace(path, std::make_pair(*digest, by));
    if (!fresh && at->second.first != *digest)
      fail(ErrorCode::digest_mismatch, "{} and {} state different digests of '{}'", at->second.second, by, path);
  }

  /// With what is stated of it.
  WantedFile wanted(const std::string& path) const {
    WantedFile file{.tree = m_tree, .path = path, .stated = std::nullopt, .stated_by = {}};
    if (const auto stated = m_stated.find(path); stated != m_stated.end()) {
      file.stated = stated->second.first;
      file.stated_by = stated->second.second;
    }
    return file;
  }

  /// A file of a part, with what is stated of it as a file of the whole: it is that for both, or refused.
  void state_too(WantedFile& file, const std::string& prefix) const {
    const auto stated = prefix.empty() ? m_stated.end() : m_stated.find(prefix + file.path);
    if (stated == m_stated.end()) return;
    if (file.stated && *file.stated != stated->second.first)
      fail(ErrorCode::digest_mismatch, "{} has another digest of '{}' than {}", stated->second.second,
           printable(file.path), file.stated_by);
    file.stated = stated->second.first;
    file.stated_by = stated->second.second;
  }

  /// @param prefix of the part's tree in the whole; "" for an inner archive, whose own digest was checked instead
  void add_part(std::optional<Found> part, const std::string& prefix, bool bound) {
    if (!part) return;
    for (auto& file : part->files) {
      state_too(file, prefix);
      m_found.files.push_back(file);
    }
    for (auto& file : part->checked) {
      state_too(file, prefix);
      m_found.checked.push_back(std::move(file));
    }
    for (auto& note : part->notes) m_found.notes.push_back(std::move(note));
    m_found.preview["parts"].push_back({{"shape", part->shape}, {"what", part->words}});
    m_parts.push_back({std::move(part->make), bound});
  }

  void take_images() {
    const auto images = m_tree->below("images");
    if (auto layout = recognise_oci_layout(images, m_cells)) return add_part(std::move(layout), "images/", m_is_whole);
    for (const auto& path : images->paths()) {
      const auto whole = "images/" + path;
      const auto inner = open_inner(wanted(whole), m_cells);
      if (!inner) {
        m_found.notes.push_back(fmt::format("{} is left out: it is no archive", printable(whole)));
        continue;
      }
      auto found = recognise_docker_archive(inner, m_cells);
      if (!found) found = recognise_oci_layout(inner, m_cells);
      if (!found) fail(ErrorCode::import_unknown, "'{}' is no image archive", printable(whole));
      add_part(std::move(found), "",
               m_is_whole || (m_bundle && m_bundle->open_webui_image && path == "open-webui.tar"));
    }
  }

  void take_models() {
    if (!has_below(*m_tree, "models")) return;
    const auto models = m_tree->below("models");
    const bool bound = m_is_whole || (m_bundle && m_bundle->models);
    auto found = recognise_ollama(models, m_cells);
    if (!found) found = recognise_model(models, m_cells);
    if (!found) m_found.notes.emplace_back("models/ holds no model that is known here");
    std::set<std::string> wanted;
    if (found) {
      // Each path is as it stands in the whole, whatever folder the shape was found below.
      const auto base = found->files.empty() ? models->name() : found->files.front().tree->name();
      const auto prefix = base.substr(m_tree->name().size() + 1) + "/";
      for (const auto& file : found->files) {
        wanted.insert(prefix + file.path);
        m_models.emplace(prefix + file.path, file);
      }
      add_part(std::move(found), prefix, bound);
    }
    if (!m_bundle || !m_bundle->models) return;
    for (const auto& path : m_tree->paths()) {
      if (!path.starts_with("models/") || wanted.contains(path)) continue;
      m_found.checked.push_back(this->wanted(path));
      m_models.emplace(path, m_found.checked.back());
    }
  }

  void take_packages() {
    const auto packages = m_tree->below("packages");
    add_part(recognise_debs(packages, m_cells), "packages/", m_is_whole);
    add_part(recognise_wheelhouse(packages, m_cells), "packages/", m_is_whole);
  }

  void take_plain() {
    std::map<std::pair<std::string, std::string>, std::vector<std::string>> groups;
    for (const auto& path : m_tree->paths()) {
      const auto slash = path.find('/');
      if (slash == std::string::npos) continue;
      const auto category = k_plain.find(path.substr(0, slash));
      if (category == k_plain.end()) continue;
      const auto rest = path.substr(slash + 1);
      groups[{path.substr(0, slash), rest.substr(0, rest.find('/'))}].push_back(path);
      m_found.files.push_back(wanted(path));
    }
    if (groups.empty()) return;
    m_found.preview["parts"].push_back(
        {{"shape", "files"}, {"what", counted(groups.size(), "file or folder", "files and folders")}});
    for (const auto& [key, paths] : groups) {
      const bool bound = m_is_whole || (m_bundle && m_bundle->ollama_binary && paths.size() == 1 &&
                                        paths.front() == "binaries/ollama-linux-amd64");
      const auto make = [tree = m_tree, key = key, paths = paths, stated = m_stated](StagedFiles& staged) {
        const auto& category = k_plain.find(key.first)->second;
        Artifact out{.kind = "file",
                     .name = portable_component(key.second),
                     .version = {},
                     .license = {},
                     .facts = {{"category", category}},
                     .needs = {},
                     .files = {}};
        std::vector<ListedDigest> listed;
        for (const auto& path : paths) {
          const auto& digest = staged.digest(*tree, path);
          const auto at = RelPath::parse(category + path.substr(path.find('/')));
          listed.push_back({at.text(), digest});
          const auto by = stated.find(path);
          out.files.push_back({.path = at,
                               .size = staged.size(digest),
                               .digest = digest,
                               .origin = tree->name() + "/" + path,
                               .evidence = {by == stated.end() ? Evidence{"first-use", Json::object()}
                                                               : Evidence{"stated", {{"by", by->second.second}}}}});
        }
        std::sort(out.files.begin(), out.files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
        out.version = (listed.size() == 1 ? listed.front().digest : directory_hash(listed)).hex().substr(0, 12);
        return std::vector{std::move(out)};
      };
      m_parts.push_back({make, bound});
    }
  }

  void finish() {
    auto unbound = std::make_shared<std::set<std::string>>();
    if (!m_is_whole) m_found.bound = [unbound](const Artifact& artifact) { return !unbound->contains(artifact.id()); };
    m_found.make = [tree = m_tree, parts = m_parts, models = m_models, unbound,
                    bundle = m_bundle](StagedFiles& staged) {
      if (bundle && bundle->models) require_directory_hash(*tree, models, staged, *bundle->models);
      std::vector<Artifact> out;
      for (const auto& part : parts) {
        for (auto& artifact : part.make(staged)) {
          if (!part.bound) unbound->insert(artifact.id());
          out.push_back(std::move(artifact));
        }
      }
      return out;
    };
  }

  /// What `find models -type f -exec sha256sum {} \; | sort | sha256sum` printed on the low side.
  static void require_directory_hash(const Tree& tree, const std::map<std::string, WantedFile>& models,
                                     const StagedFiles& staged, const Digest& stated) {
    std::vector<ListedDigest> listed;
    std::set<std::string> hashed;
    for (const auto& [path, file] : models) {
      // `find -type f` passes symlinks over.
      if (tree.is_link(path)) continue;
      listed.push_back({path, staged.digest(*file.tree, file.path)});
      hashed.insert(tree.place(path));
    }
    for (const auto& [path, file] : models) {
      if (hashed.contains(tree.place(path))) continue;
      throw Error(
          ErrorCode::not_regular,
          fmt::format("the link '{}' leads out of models/, where models_directory_hash says nothing", printable(path)),
          "have the file itself lie there");
    }
    const auto actual = directory_hash(listed);
    if (actual == stated) return;
    throw Error(
        ErrorCode::digest_mismatch,
        fmt::format("models/ has the models_directory_hash {}, and bundle.json states {}", actual.hex(), stated.hex()),
        "a file is missing, extra or changed; hidden files are not taken in, and would count, too");
  }

  struct Part {
    std::function<std::vector<Artifact>(StagedFiles&)> make;
    bool bound = false;
  };

  std::shared_ptr<const Tree> m_tree;
  const ImportCells& m_cells;
  Found m_found;
  std::optional<BundleJson> m_bundle;
  bool m_is_whole = false;  ///< the document speaks for every file
  std::map<std::string, std::pair<Digest, std::string>> m_stated;
  std::vector<Part> m_parts;
  std::map<std::string, WantedFile> m_models;  ///< by path in the whole
};

}  // namespace

std::optional<Found> recognise_bundle_layout(const std::shared_ptr<const Tree>& tree, const ImportCells& cells) {
  return BundleLayout(tree, cells).run();
}

std::optional<Found> recognise_listed_files(const std::shared_ptr<const Tree>& tree, const ImportCells&) {
  const auto listing = find_listing(*tree);
  if (!listing) return std::nullopt;
  const auto title = portable_component(plain_title(*tree));
  Found found{.shape = "listed-files",
              .words = fmt::format("a folder of {} with {}", counted(listing->digests.size(), "file"), listing->path),
              .preview = {{"name", title}}};
  found.files = wanted_files(tree, listing);
  keep_listing(found, listing);
  found.make = [tree, listing, title, files = found.files](StagedFiles& staged) {
    Artifact out{.kind = "file",
                 .name = title,
                 .version = {},
                 .license = {},
                 .facts = {{"category", "files"}},
                 .needs = {},
                 .files = {}};
    std::vector<ListedDigest> listed;
    for (const auto& file : files) {
      const auto& digest = staged.digest(*tree, file.path);
      const auto at = RelPath::parse("files/" + title + "/" + file.path);
      listed.push_back({at.text(), digest});
      out.files.push_back({.path = at,
                           .size = staged.size(digest),
                           .digest = digest,
                           .origin = tree->name() + "/" + file.path,
                           .evidence = listing_evidence(listing, file.path)});
    }
    std::sort(out.files.begin(), out.files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
    out.version = directory_hash(listed).hex().substr(0, 12);
    return std::vector{std::move(out)};
  };
  return found;
}

}  // namespace liftlock
