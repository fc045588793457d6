#include "intake/listing.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/sha256sums.hpp"

namespace liftlock {
namespace {

constexpr std::array<std::string_view, 6> k_names = {"MODEL_MANIFEST.sha256", "SHA256SUMS",    "SHA256SUMS.txt",
                                                     "sha256sum.txt",         "checksums.txt", "checksums.sha256"};
constexpr std::uint64_t k_max_list = 64u << 20;
constexpr std::uint64_t k_max_signature = 1u << 20;
constexpr std::size_t k_max_signatures = 64;

bool is_signature_of(std::string_view path, std::string_view list) {
  return path.starts_with(list) && path.substr(list.size()).starts_with('.') &&
         (path.ends_with(".asc") || path.ends_with(".sigstore.json"));
}

}  // namespace

std::vector<SignatureFile> signatures_beside(const Tree& tree, std::string_view path) {
  std::vector<SignatureFile> out;
  for (const auto& other : tree.paths()) {
    if (!is_signature_of(other, path)) continue;
    if (out.size() == k_max_signatures)
      fail(ErrorCode::limit_exceeded, "more than {} signatures beside '{}'", k_max_signatures, printable(path));
    // By their names they speak for builders; the key decides.
    auto words = other.substr(path.size() + 1);
    const bool named = words.starts_with("approver.") || words.starts_with("builder.");
    out.push_back({named ? words : "builder." + words, tree.read(other, k_max_signature)});
  }
  return out;
}

bool has_listing(const Tree& tree) {
  return std::any_of(k_names.begin(), k_names.end(), [&](auto name) { return tree.has(name); });
}

std::optional<Listing> find_listing(const Tree& tree) {
  const auto found = std::find_if(k_names.begin(), k_names.end(), [&](auto name) { return tree.has(name); });
  if (found == k_names.end()) return std::nullopt;
  Listing out{.path = std::string(*found), .digests = {}, .document = {}};
  out.document = {
      .text = tree.read(*found, k_max_list), .signatures = signatures_beside(tree, *found), .what = out.path};
  const auto entries = with_context("in " + out.path, [&] { return parse_sha256sums(out.document.text); });
  for (const auto& entry : entries) {
    const auto path = entry.path.starts_with("./") ? entry.path.substr(2) : entry.path;
    // A list that was written into the folder it lists names itself, half written.
    if (path == out.path) continue;
    const bool hidden = path.starts_with('.') || path.find("/.") != std::string::npos;
    if (hidden && !tree.has(path)) continue;
    if (!tree.has(path)) fail(ErrorCode::missing_file, "{} names '{}', which is not there", out.path, printable(path));
    if (const auto [at, fresh] = out.digests.emplace(path, entry.digest); !fresh && at->second != entry.digest)
      fail(ErrorCode::path_collision, "{} has two digests of '{}'", out.path, printable(path));
  }
  for (const auto& path : tree.paths()) {
    if (path == out.path || is_signature_of(path, out.path) || out.digests.contains(path)) continue;
    throw Error(ErrorCode::extra_file, fmt::format("'{}' is there, and {} does not name it", printable(path), out.path),
                "find out who added it; `sha256sum -c` would not have told");
  }
  return out;
}

bool is_of_listing(const std::optional<Listing>& listing, std::string_view path) {
  return listing && (path == listing->path || is_signature_of(path, listing->path));
}

std::vector<WantedFile> wanted_files(const std::shared_ptr<const Tree>& tree, const std::optional<Listing>& listing) {
  std::vector<WantedFile> out;
  for (const auto& path : tree->paths()) {
    if (is_of_listing(listing, path)) continue;
    WantedFile file{.tree = tree, .path = path, .stated = std::nullopt, .stated_by = {}};
    if (listing) {
      file.stated = listing->digests.at(path);
      file.stated_by = listing->path;
    }
    out.push_back(std::move(file));
  }
  return out;
}

std::vector<Evidence> listing_evidence(const std::optional<Listing>& listing, std::string_view) {
  if (!listing) return {{"first-use", Json::object()}};
  return {{"stated", {{"by", listing->path}}}};
}

void keep_listing(Found& found, const std::optional<Listing>& listing) {
  if (!listing) return;
  found.document = listing->document;
  found.kept.emplace_back(listing->path, listing->document.text);
}

std::string plain_title(const Tree& tree) {
  auto name = tree.name();
  name = name.substr(name.rfind('/') + 1);
  constexpr std::array<std::string_view, 14> endings = {".tar.gz", ".tar.zst",  ".tar.xz",      ".tar.bz2", ".tgz",
                                                        ".tar",    ".baimodel", ".safetensors", ".gguf",    ".onnx",
                                                        ".zip",    ".zst",      ".gz",          ".haul"};
  for (const auto ending : endings) {
    if (name.size() > ending.size() && to_lower(name).ends_with(ending))
      return name.substr(0, name.size() - ending.size());
  }
  return name.empty() ? "import" : name;
}

}  // namespace liftlock
