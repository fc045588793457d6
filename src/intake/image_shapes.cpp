// Container images as others pack them: OCI layouts, `docker save` archives, Zarf packages, Hauler hauls.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/oci/docker_image.hpp"
#include "ecosystem/oci/gather.hpp"
#include "ecosystem/oci/layout_reader.hpp"
#include "intake/listing.hpp"
#include "intake/shape.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_blobs = "blobs/sha256/";
const std::string k_kind = "kind";  // how Hauler says what an entry is
constexpr std::uint64_t k_max_yaml = 4u << 20;
constexpr std::uint64_t k_max_list = 64u << 20;

bool is_blob_path(std::string_view path) {
  return path.starts_with(k_blobs) && Digest::try_parse("sha256:" + std::string(path.substr(k_blobs.size())));
}

/// The blobs of a layout, each believed to be what its name says once it was hashed.
std::vector<WantedFile> layout_blobs(const std::shared_ptr<const Tree>& tree) {
  std::vector<WantedFile> out;
  for (const auto& path : tree->paths()) {
    if (!is_blob_path(path)) continue;
    out.push_back({tree, path, Digest::parse_sha256_hex(path.substr(k_blobs.size())), "the name of the blob"});
  }
  return out;
}

/// A layout whose two documents were read once: the medium could answer otherwise the second time. Blobs are what their
/// names say, or refused.
class Layout {
 public:
  explicit Layout(const std::shared_ptr<const Tree>& tree)
      : m_tree(tree),
        m_layout(tree->read("oci-layout", 4096)),
        m_index(tree->read("index.json", oci::k_max_manifest_bytes)),
        m_reader(tree->name(), "", [this](const std::string& path, std::uint64_t most) { return read(path, most); }) {}
  Layout(const Layout&) = delete;
  Layout& operator=(const Layout&) = delete;

  const std::string& index_text() const { return m_index; }
  /// What was read of the two must be what is hashed.
  std::vector<WantedFile> documents() const {
    const std::string by = "what was read of it";
    return {{m_tree, "index.json", sha256(m_index), by}, {m_tree, "oci-layout", sha256(m_layout), by}};
  }
  oci::LayoutReader& reader() { return m_reader; }

 private:
  std::string read(const std::string& path, std::uint64_t max_bytes) const {
    if (path == "oci-layout") return m_layout;
    if (path == "index.json") return m_index;
    auto text = m_tree->read(path, max_bytes);
    if (!is_blob_path(path) || sha256(text).hex() != path.substr(k_blobs.size()))
      fail(ErrorCode::digest_mismatch, "'{}' is not what its name says", printable(path));
    return text;
  }

  std::shared_ptr<const Tree> m_tree;
  std::string m_layout, m_index;
  oci::LayoutReader m_reader;
};

/// A name for an image that has none: the archive's, as a repository may be called.
std::string repository_name(std::string_view title) {
  std::string out;
  for (const char c : to_lower(title)) {
    const bool fits = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (fits) {
      out += c;
    } else if (!out.empty() && out.back() != '-') {
      out += '-';
    }
  }
  while (out.ends_with('-')) out.pop_back();
  return out.empty() ? "image" : out;
}

bool is_attached(const oci::Descriptor& descriptor) {
  const auto name = oci::LayoutReader::name_of(descriptor);
  const auto tag = name.substr(name.rfind(':') + 1);
  return std::any_of(oci::k_cosign_suffixes.begin(), oci::k_cosign_suffixes.end(),
                     [&](auto suffix) { return tag.starts_with("sha256-") && tag.ends_with(suffix); });
}

/// Of Hauler: charts and files are OCI artifacts, too, and are no images.
bool is_image_entry(const oci::Descriptor& descriptor) {
  const auto kind = descriptor.annotation(k_kind);
  if (kind.empty()) return !is_attached(descriptor);
  const auto last = kind.substr(kind.rfind('/') + 1);
  return last == "image" || last == "imageIndex";
}

struct PlannedImages {
  std::vector<oci::Chosen> images;
  std::vector<std::string> left_out;
};

PlannedImages plan_images(oci::LayoutReader& layout, const std::string& fallback) {
  PlannedImages plan;
  std::set<std::pair<std::string, std::string>> seen;
  const auto& entries = layout.index().manifests;
  for (const auto& descriptor : entries) {
    const auto name = oci::LayoutReader::name_of(descriptor);
    if (!is_image_entry(descriptor)) {
      // What is attached to an image is found from there.
      if (const auto kind = descriptor.annotation(k_kind); !kind.empty())
        plan.left_out.push_back(fmt::format("{} is no image ({})", printable(name), printable(kind)));
      continue;
    }
    // Without a name it may be what refers to another: a signature, an SBOM.
    if (name.empty() && entries.size() > 1 &&
        oci::subject_of(oci::parse_manifest(layout.manifest(descriptor), descriptor.media_type)))
      continue;
    auto chosen = layout.chosen(descriptor);
    if (chosen.name.empty()) chosen.name = fallback;
    if (seen.emplace(chosen.name, chosen.version).second) plan.images.push_back(std::move(chosen));
  }
  return plan;
}

Found found_layout(const std::shared_ptr<const Tree>& tree, const std::shared_ptr<Layout>& layout, std::string shape) {
  auto plan = plan_images(layout->reader(), repository_name(plain_title(*tree)));
  Found found{.shape = std::move(shape), .preview = {{"images", Json::array()}}};
  for (const auto& image : plan.images) {
    found.preview["images"].push_back(
        {{"name", image.name}, {"version", image.version}, {"digest", image.root.digest.text()}});
  }
  found.notes = std::move(plan.left_out);
  found.files = layout_blobs(tree);
  found.checked = layout->documents();
  found.make = [tree, layout, images = std::move(plan.images)](StagedFiles& staged) {
    std::vector<Artifact> out;
    for (const auto& image : images) {
      out.push_back(
          oci::gather_image(layout->reader(), image, {}, [&](std::string_view bytes) { staged.keep(bytes); }));
      for (const auto& file : out.back().files) {
        if (!staged.has(file.digest))
          fail(ErrorCode::missing_file, "{}: {} is not in the layout", printable(image.ref), file.digest.text());
      }
    }
    return out;
  };
  return found;
}

std::string count_images(const Found& found) {
  return counted(found.preview["images"].size(), "image");
}

bool is_layout(const Tree& tree) {
  return tree.has("oci-layout") && tree.has("index.json");
}

/// DockerImage over what was staged.
class StagedMembers : public oci::ArchiveMembers {
 public:
  StagedMembers(const Tree& tree, const StagedFiles& staged) : m_tree(tree), m_staged(staged), m_what(tree.name()) {}

  bool has(const std::string& name) const override { return m_tree.has(name); }
  oci::ArchiveMember member(const std::string& name) const override {
    if (!has(name)) fail(ErrorCode::image_malformed, "{} has no member '{}'", m_what, printable(name));
    const auto head = m_tree.head(name, 4);
    oci::ArchiveMember out{.size = m_tree.size(name), .digest = m_staged.digest(m_tree, name), .magic = {}};
    head.copy(out.magic.data(), out.magic.size());
    return out;
  }
  std::string read(const std::string& name, std::uint64_t max_bytes) const override {
    if (!has(name)) fail(ErrorCode::image_malformed, "{} has no member '{}'", m_what, printable(name));
    return m_staged.read(m_staged.digest(m_tree, name), max_bytes);
  }
  const std::string& what() const override { return m_what; }

 private:
  const Tree& m_tree;
  const StagedFiles& m_staged;
  std::string m_what;
};

/// "HEX RELPATH" with one blank, as Zarf writes it.
std::map<std::string, Digest> parse_zarf_checksums(std::string_view text) {
  std::map<std::string, Digest> out;
  for (const auto line : split(text, '\n')) {
    if (line.empty()) continue;
    if (line.size() < 66 || line[64] != ' ') fail(ErrorCode::schema_violation, "checksums.txt has a line that is none");
    const auto path = std::string(trim(line.substr(65)));
    if (!out.emplace(path, Digest::parse_sha256_hex(line.substr(0, 64))).second)
      fail(ErrorCode::path_collision, "checksums.txt has '{}' twice", printable(path));
  }
  return out;
}

/// The value of `key: value` at any depth of a YAML text that a program wrote; empty when it is not there, or twice.
std::string yaml_scalar(std::string_view text, std::string_view key) {
  std::string found;
  for (const auto raw : split(text, '\n')) {
    auto line = trim(raw);
    if (!line.starts_with(key) || !line.substr(key.size()).starts_with(':')) continue;
    line = trim(line.substr(key.size() + 1));
    if (line.size() > 1 && (line.front() == '"' || line.front() == '\'')) line = line.substr(1, line.size() - 2);
    if (!found.empty()) return {};
    found = std::string(line);
  }
  return found;
}

}  // namespace

std::optional<Found> recognise_oci_layout(const std::shared_ptr<const Tree>& tree, const ImportCells&) {
  if (!is_layout(*tree)) return std::nullopt;
  auto found = found_layout(tree, std::make_shared<Layout>(tree), "oci-layout");
  found.words = "an OCI image layout of " + count_images(found);
  return found;
}

std::optional<Found> recognise_docker_archive(const std::shared_ptr<const Tree>& tree, const ImportCells&) {
  if (!tree->has("manifest.json")) return std::nullopt;
  const auto text = tree->read("manifest.json", oci::k_max_manifest_bytes);
  if (!text.starts_with('[') || text.find("\"Config\"") == std::string::npos) return std::nullopt;
  const auto images = oci::parse_archive_manifest(text);
  Found found{.shape = "docker-archive",
              .words = "a `docker save` archive of " + counted(images.size(), "image"),
              .preview = {{"images", Json::array()}}};
  for (const auto& image : images) found.preview["images"].push_back(image.tags);
  for (const auto& path : tree->paths()) {
    WantedFile file{.tree = tree, .path = path, .stated = std::nullopt, .stated_by = {}};
    if (is_blob_path(path)) {
      file.stated = Digest::parse_sha256_hex(path.substr(k_blobs.size()));
      file.stated_by = "the name of the blob";
    } else if (path == "manifest.json") {
      file.stated = sha256(text);
      file.stated_by = "what was read of it";
    }
    found.files.push_back(std::move(file));
  }
  found.make = [tree, images](StagedFiles& staged) {
    const StagedMembers members(*tree, staged);
    std::vector<Artifact> out;
    for (std::size_t i = 0; i < images.size(); ++i) {
      oci::DockerImage image(members, fmt::format("@{}", i));
      auto chosen = image.choose();
      if (chosen.name.empty()) chosen.name = repository_name(plain_title(*tree));
      auto artifact = oci::gather_image(image, chosen, {}, [&](std::string_view bytes) { staged.keep(bytes); });
      const auto tags = images[i].tags;
      for (std::size_t tag = 1; tag < tags.size(); ++tag) {
        auto again = artifact;
        const auto reference = oci::parse_reference(tags[tag]);
        again.name = reference.repository;
        again.version = reference.version();
        out.push_back(std::move(again));
      }
      out.push_back(std::move(artifact));
    }
    return out;
  };
  return found;
}

std::optional<Found> recognise_hauler(const std::shared_ptr<const Tree>& tree, const ImportCells&) {
  if (!tree->has("index.json")) return std::nullopt;
  const auto text = tree->read("index.json", oci::k_max_manifest_bytes);
  const bool kinds =
      text.find("dev.hauler/") != std::string::npos || text.find("dev.cosignproject.cosign/") != std::string::npos;
  if (!kinds) return std::nullopt;
  if (!tree->has("oci-layout")) {
    throw Error(ErrorCode::import_unknown, "the haul has no oci-layout: it was saved for containerd alone",
                "save it again without --containerd, or import the docker-style archive");
  }
  auto found = found_layout(tree, std::make_shared<Layout>(tree), "hauler");
  found.words = "a Hauler haul: " + count_images(found);
  found.notes.emplace_back("a haul carries no checksum and no signature of its own");
  return found;
}

std::optional<Found> recognise_zarf(const std::shared_ptr<const Tree>& tree, const ImportCells&) {
  if (!tree->has("zarf.yaml") || !tree->has("checksums.txt")) return std::nullopt;
  const auto yaml = tree->read("zarf.yaml", k_max_yaml);
  const auto list = tree->read("checksums.txt", k_max_list);
  const auto aggregate = yaml_scalar(yaml, "aggregateChecksum");
  if (to_lower(aggregate) != sha256(list).hex())
    fail(ErrorCode::digest_mismatch, "zarf.yaml states the aggregateChecksum '{}', and checksums.txt has {}",
         printable(aggregate), sha256(list).hex());
  const auto checksums = parse_zarf_checksums(list);
  for (const auto& path : tree->paths()) {
    const bool outside = path == "zarf.yaml" || path == "checksums.txt" || path.starts_with("zarf.yaml.sig") ||
                         path == "zarf.bundle.sig";
    if (!outside && !checksums.contains(path))
      fail(ErrorCode::extra_file, "'{}' is in the package, and checksums.txt does not name it", printable(path));
  }
  for (const auto& [path, digest] : checksums) {
    if (!tree->has(path)) fail(ErrorCode::missing_file, "checksums.txt names '{}', which is missing", printable(path));
  }
  const auto images = tree->below("images");
  if (!is_layout(*images)) {
    throw Error(ErrorCode::import_unknown, "the Zarf package holds no images, and those are what is taken in",
                "its charts, manifests and files need Zarf itself");
  }
  const auto layout = std::make_shared<Layout>(images);
  auto found = found_layout(images, layout, "zarf");
  found.words = "a Zarf package: " + count_images(found);
  found.preview["package"] = yaml_scalar(yaml, "name").empty() ? plain_title(*tree) : yaml_scalar(yaml, "name");
  if (checksums.at("images/index.json") != sha256(layout->index_text()))
    fail(ErrorCode::digest_mismatch, "images/index.json is not what checksums.txt says");
  for (const auto& file : found.files) {
    if (checksums.at("images/" + file.path) != *file.stated)
      fail(ErrorCode::digest_mismatch, "checksums.txt has another digest of '{}' than its name", file.path);
  }
  std::size_t left = 0;
  for (const auto& path : tree->paths()) {
    if (path.starts_with("images/")) continue;
    if (!checksums.contains(path)) continue;
    ++left;
    found.checked.push_back({tree, path, checksums.at(path), "checksums.txt"});
  }
  if (left > 0)
    found.notes.push_back(
        fmt::format("{} besides are checked and not taken in: components, SBOMs", counted(left, "file")));
  SignedDocument document{.text = yaml, .signatures = {}, .what = "zarf.yaml"};
  if (tree->has("zarf.bundle.sig"))
    document.signatures.push_back({"builder.zarf.sigstore.json", tree->read("zarf.bundle.sig", 1u << 20)});
  if (tree->has("zarf.yaml.sig"))
    found.notes.emplace_back("zarf.yaml.sig is a signature of an older form, which is not judged here");
  found.document = std::move(document);
  found.kept = {{"zarf.yaml", yaml}, {"checksums.txt", list}};
  return found;
}

}  // namespace liftlock
