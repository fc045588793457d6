// Packages of Zarf (src/pkg/packager/layout of its 0.75 to 0.84): zarf.yaml → aggregateChecksum → checksums.txt →
// files. Taken in are the images, and of each component its charts and its plain files.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "intake/image_layout.hpp"
#include "intake/listing.hpp"
#include "intake/plain_artifacts.hpp"

namespace liftlock {
namespace {

constexpr std::uint64_t k_max_yaml = 4u << 20;
constexpr std::uint64_t k_max_list = 64u << 20;
constexpr std::uint64_t k_max_signature = 1u << 20;
constexpr std::string_view k_components = "components/";
constexpr std::string_view k_images = "images/";
const std::string k_list = "checksums.txt";

/// "HEX RELPATH" with one blank.
std::map<std::string, Digest> parse_checksums(std::string_view text) {
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

/// The scalar `key` right below the top member `section` of a YAML text that Zarf wrote, in each of its documents: a
/// package of v1beta1 is also written as v1alpha1. Zarf's own form is all that is read here; other YAML has none.
std::vector<std::string> yaml_scalars(std::string_view text, std::string_view section, std::string_view key) {
  std::vector<std::string> found;
  bool within = false;
  std::size_t indent = 0;  ///< of the section's members, once one was seen
  for (const auto raw : split(text, '\n')) {
    const auto line = raw.substr(0, raw.find_last_not_of(" \r") + 1);
    if (line.empty() || line.front() == '#') continue;
    const auto blanks = line.find_first_not_of(' ');
    if (blanks == 0) {
      within = line.starts_with(section) && line.substr(section.size()) == ":";
      indent = 0;
      continue;
    }
    if (!within) continue;
    if (indent == 0) indent = blanks;
    auto member = line.substr(blanks);
    if (blanks != indent || !member.starts_with(key) || !member.substr(key.size()).starts_with(": ")) continue;
    member = trim(member.substr(key.size() + 1));
    if (member.size() > 1 && (member.front() == '"' || member.front() == '\''))
      member = member.substr(1, member.size() - 2);
    found.emplace_back(member);
  }
  return found;
}

std::string first_or_empty(const std::vector<std::string>& texts) {
  return texts.empty() ? std::string() : texts.front();
}

/// Every place that states it has to state the same.
void require_aggregate(std::string_view yaml, const Digest& list) {
  auto stated = yaml_scalars(yaml, "metadata", "aggregateChecksum");
  for (auto& one : yaml_scalars(yaml, "build", "aggregateChecksum")) stated.push_back(std::move(one));
  if (stated.empty())
    fail(ErrorCode::digest_mismatch, "zarf.yaml states no aggregateChecksum, so checksums.txt is nobody's word");
  for (const auto& one : stated) {
    if (to_lower(one) != list.hex())
      fail(ErrorCode::digest_mismatch, "zarf.yaml states the aggregateChecksum '{}', and checksums.txt has {}",
           printable(one), list.hex());
  }
}

/// The paths of the package and of checksums.txt are the same, but for what vouches for them.
void require_same_paths(const Tree& tree, const std::map<std::string, Digest>& checksums) {
  for (const auto& path : tree.paths()) {
    const bool outside =
        path == "zarf.yaml" || path == k_list || path.starts_with("zarf.yaml.sig") || path == "zarf.bundle.sig";
    if (!outside && !checksums.contains(path))
      fail(ErrorCode::extra_file, "'{}' is in the package, and checksums.txt does not name it", printable(path));
  }
  for (const auto& [path, digest] : checksums) {
    if (!tree.has(path)) fail(ErrorCode::missing_file, "checksums.txt names '{}', which is missing", printable(path));
  }
}

/// One components/NAME.tar, which holds NAME/charts, NAME/files, NAME/manifests …
struct Component {
  std::string name;
  Digest digest;  ///< of the tar
  std::shared_ptr<const Tree> members;
  std::vector<std::string> charts, files;  ///< paths in `members`
};

Component open_component(const WantedFile& tar, const ImportCells& cells, std::vector<std::string>& notes) {
  Component out{.name = tar.path.substr(k_components.size()), .digest = *tar.stated, .members = {}};
  out.name.resize(out.name.size() - std::string_view(".tar").size());
  out.members = open_archive(tar, cells);
  if (!out.members) fail(ErrorCode::package_malformed, "'{}' is no tar", printable(tar.path));
  const auto folder = out.name + "/";
  std::size_t repositories = 0;
  for (const auto& path : out.members->paths()) {
    if (!path.starts_with(folder))
      fail(ErrorCode::package_malformed, "{} holds '{}', which is not below {}", printable(tar.path), printable(path),
           printable(folder));
    const std::string_view below = std::string_view(path).substr(folder.size());
    if (below.starts_with("repos/")) {
      ++repositories;
    } else if (below.starts_with("charts/") && below.ends_with(".tgz")) {
      out.charts.push_back(path);
    } else {
      out.files.push_back(path);
    }
  }
  if (repositories > 0)
    notes.push_back(fmt::format("the git repositories of the component {} are left out: carry them as [git.NAME]",
                                printable(out.name)));
  return out;
}

StagedPart part_of(const Component& component, const std::string& path, const StagedFiles& staged) {
  return {.path = path.substr(component.name.size() + 1),
          .digest = staged.digest(*component.members, path),
          .origin = fmt::format("{}{}.tar/{}", k_components, component.name, path),
          .evidence = {{"derived", {{"from", {component.digest.text()}}}}}};
}

/// Charts once each, however many components hold them; files below files/PACKAGE/COMPONENT/, as the component has
/// them. Zarf packs a chart anew for each component, so that two of one name and version differ in their times at
/// least: the second is a file of its component.
std::vector<Artifact> make_components(const std::vector<Component>& components, const std::string& package,
                                      const std::string& version, StagedFiles& staged, const ImportCells& cells) {
  std::vector<Artifact> out;
  std::set<Digest> known;
  std::set<std::string> ids;
  for (const auto& component : components) {
    std::vector<StagedPart> parts;
    for (const auto& path : component.charts) {
      const auto part = part_of(component, path, staged);
      if (!known.insert(part.digest).second) continue;
      auto chart = make_chart(part, staged, cells);
      if (ids.insert(chart.id()).second) {
        out.push_back(std::move(chart));
        continue;
      }
      staged.remark(fmt::format("{} is in it twice, with different content: that of the component {} is a file of it",
                                printable(chart.id()), printable(component.name)));
      parts.push_back(part);
    }
    for (const auto& path : component.files) parts.push_back(part_of(component, path, staged));
    if (parts.empty()) continue;
    const auto folder = portable_component(package) + "/" + portable_component(component.name);
    out.push_back(make_files(package + "-" + component.name, version, folder, parts, staged));
  }
  return out;
}

/// Is it by a certificate for an identity, which is judged by an issuer and a log that cannot be asked here?
bool is_keyless(const std::string& bundle) {
  try {
    const auto material = object_member(parse_json(bundle), "verificationMaterial", "the bundle");
    return material.contains("certificate") || material.contains("x509CertificateChain");
  } catch (const Error&) {
    return false;  // what is wrong with it is said where it is judged
  }
}

/// The images, with the blobs that checksums.txt and their own names agree on.
Found found_package_images(const std::shared_ptr<const Tree>& images, const std::map<std::string, Digest>& checksums) {
  if (!is_layout(*images)) return {.shape = "zarf", .preview = {{"images", Json::array()}}};
  const auto layout = std::make_shared<ImageLayout>(images);
  auto found = found_images(layout, "zarf", image_entries(*layout));
  if (checksums.at("images/index.json") != sha256(layout->index_text()))
    fail(ErrorCode::digest_mismatch, "images/index.json is not what checksums.txt says");
  for (const auto& file : found.files) {
    if (checksums.at("images/" + file.path) != *file.stated)
      fail(ErrorCode::digest_mismatch, "checksums.txt has another digest of '{}' than its name", file.path);
  }
  return found;
}

}  // namespace

std::optional<Found> recognise_zarf(const std::shared_ptr<const Tree>& tree, const ImportCells& cells) {
  if (!tree->has("zarf.yaml") || !tree->has(k_list)) return std::nullopt;
  const auto yaml = tree->read("zarf.yaml", k_max_yaml);
  const auto list = tree->read(k_list, k_max_list);
  require_aggregate(yaml, sha256(list));
  const auto checksums = parse_checksums(list);
  require_same_paths(*tree, checksums);
  auto found = found_package_images(tree->below("images"), checksums);

  std::set<std::string> blobs;  ///< these are compared by their names
  for (const auto& file : found.files) blobs.insert(file.path);
  std::vector<Component> components;
  std::size_t left = 0;
  for (const auto& [path, digest] : checksums) {
    const WantedFile file{tree, path, digest, k_list};
    if (path.starts_with(k_images)) {
      if (!blobs.contains(path.substr(k_images.size()))) found.checked.push_back(file);
    } else if (path.starts_with(k_components) && path.ends_with(".tar") &&
               path.find('/', k_components.size()) == std::string::npos) {
      components.push_back(open_component(file, cells, found.notes));
    } else {
      ++left;
      found.checked.push_back(file);
    }
  }
  std::size_t charts = 0, files = 0;
  for (const auto& component : components) {
    charts += component.charts.size();
    files += component.files.size();
    for (const auto* paths : {&component.charts, &component.files}) {
      for (const auto& path : *paths) found.files.push_back({component.members, path, std::nullopt, {}});
    }
  }
  if (found.files.empty())
    throw Error(ErrorCode::import_unknown, "the Zarf package holds no image, no chart and no file",
                "what else it holds needs Zarf itself");
  found.words =
      fmt::format("a Zarf package: {}, {}, {}", count_images(found), counted(charts, "chart"), counted(files, "file"));
  auto package = first_or_empty(yaml_scalars(yaml, "metadata", "name"));
  if (package.empty()) package = plain_title(*tree);
  const auto version = first_or_empty(yaml_scalars(yaml, "metadata", "version"));
  found.preview["package"] = package;
  found.preview["version"] = version;
  found.preview["components"] = Json::array();
  for (const auto& component : components) found.preview["components"].push_back(component.name);
  if (left > 0)
    found.notes.push_back(
        fmt::format("{} besides checked and not taken in: SBOMs, documents", counted(left, "file is", "files are")));
  SignedDocument document{.text = yaml, .signatures = {}, .what = "zarf.yaml"};
  found.kept = {{"zarf.yaml", yaml}, {k_list, list}};
  if (tree->has("zarf.bundle.sig")) {
    auto bundle = tree->read("zarf.bundle.sig", k_max_signature);
    if (is_keyless(bundle)) {
      found.notes.emplace_back("zarf.bundle.sig is a keyless signature, by a certificate, which is not judged here");
      found.kept.emplace_back("zarf.bundle.sig", std::move(bundle));
    } else {
      document.signatures.push_back({"builder.zarf.sigstore.json", std::move(bundle)});
    }
  }
  if (first_or_empty(yaml_scalars(yaml, "build", "differential")) == "true")
    found.notes.push_back(
        fmt::format("it is differential: the images and repositories that its version {} has are not in it",
                    printable(first_or_empty(yaml_scalars(yaml, "build", "differentialPackageVersion")))));
  if (tree->has("zarf.yaml.sig"))
    found.notes.emplace_back("zarf.yaml.sig is a signature of an older form, which is not judged here");
  found.document = std::move(document);
  found.make = [images = found.make, components = std::move(components), package, version, cells](StagedFiles& staged) {
    auto out = images ? images(staged) : std::vector<Artifact>();
    auto others = make_components(components, package, version, staged, cells);
    std::move(others.begin(), others.end(), std::back_inserter(out));
    return out;
  };
  return found;
}

}  // namespace liftlock
