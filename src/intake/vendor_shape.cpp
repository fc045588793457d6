// What `cargo vendor` writes: a folder of crates, each with .cargo-checksum.json; Cargo.lock in it, beside it, or
// nowhere. It becomes one tar, as on the low side, which is compared with what it states in a cell.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/cargo/lock_file.hpp"
#include "ecosystem/cargo/vendor_archive.hpp"
#include "intake/listing.hpp"
#include "intake/model_artifact.hpp"
#include "intake/shape.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_checksums = "/.cargo-checksum.json";
constexpr std::string_view k_lock = "Cargo.lock";
constexpr std::size_t k_max_notes = 10;

/// The folder of the crates: empty for the tree itself, else a name with '/' behind it; nullopt where no crate lies.
std::optional<std::string> crates_folder(const Tree& tree) {
  std::set<std::string> folders;
  for (const auto& path : tree.hidden()) {
    if (!path.ends_with(k_checksums)) continue;
    const auto crate = std::string_view(path).substr(0, path.size() - k_checksums.size());
    const auto slash = crate.find('/');
    if (slash == std::string_view::npos) return "";
    // Deeper ones are of crates that have vendored trees themselves.
    if (crate.find('/', slash + 1) == std::string_view::npos) folders.emplace(crate.substr(0, slash + 1));
  }
  if (folders.empty()) return std::nullopt;
  if (folders.size() > 1) {
    throw Error(ErrorCode::import_unknown,
                fmt::format("'{}' holds {}", printable(tree.name()), counted(folders.size(), "vendored tree")),
                fmt::format("name one of them, such as {}", printable(*folders.begin())));
  }
  return *folders.begin();
}

/// As the workspace is called, where the folder says no more than that it is one.
std::string title_of(const Tree& tree, const std::optional<cargo::LockFile>& lock) {
  auto title = plain_title(tree);
  if (title != "vendor" || !lock) return title;
  std::vector<std::string> own;
  for (const auto& package : lock->packages) {
    if (package.source.empty()) own.push_back(package.name);
  }
  return own.size() == 1 ? own.front() : title;
}

class VendoredTree {
 public:
  VendoredTree(const std::shared_ptr<const Tree>& tree, std::string folder)
      : m_tree(tree->with_hidden([&](std::string_view path) { return is_of_crate(path, folder); })),
        m_folder(std::move(folder)),
        m_listing(find_listing(*m_tree)) {
    for (const auto& path : m_tree->passed_over()) {
      if (!path.starts_with(m_folder) || path[m_folder.size()] == '.') continue;
      throw Error(ErrorCode::not_regular, fmt::format("'{}' is no regular file with a sound name", printable(path)),
                  "`cargo vendor` writes no links: have the folder made anew");
    }
    take_lock();
    for (auto& file : wanted_files(m_tree, m_listing)) sort_out(std::move(file));
    for (auto& path : m_tree->hidden()) m_left.push_back(std::move(path));
  }

  Found found() && {
    const auto crates = crate_folders();
    Found out{.shape = "cargo-vendor",
              .words = fmt::format("a `cargo vendor` tree of {}, {}", counted(crates, "crate"),
                                   m_lock ? "with Cargo.lock" : "without Cargo.lock"),
              .preview = {{"crates", crates}},
              .packed = m_files,
              .with_hidden = true};
    for (std::size_t i = 0; i < std::min(m_left.size(), k_max_notes); ++i)
      out.notes.push_back(fmt::format("{} is left out: it is no part of the vendored tree", printable(m_left[i])));
    if (m_left.size() > k_max_notes)
      out.notes.push_back(fmt::format("and {} more are left out", counted(m_left.size() - k_max_notes, "file")));
    if (!m_folder.empty() && m_tree->has("Cargo.toml")) {
      out.notes.push_back(
          fmt::format("only {} of the workspace comes in: its own sources cross in a bundle, as [git.NAME] or "
                      "[file.NAME], or as an import of its own, without {} and with a list of digests (SHA256SUMS)",
                      printable(m_folder), printable(m_folder)));
    }
    out.notes.emplace_back(
        m_lock ? "Cargo.lock states the digest of each .crate, and .cargo-checksum.json those of the files: that the "
                 "files came from that .crate, only who vouches for the import can say"
               : "no Cargo.lock came with it: that the crates are those that a build wants, nobody compared");
    keep_listing(out, m_listing);
    const auto self = std::make_shared<const VendoredTree>(std::move(*this));
    out.make = [self](StagedFiles& staged) { return std::vector{self->make(staged)}; };
    return out;
  }

 private:
  static bool is_of_crate(std::string_view path, std::string_view folder) {
    return path.starts_with(folder) && path.size() > folder.size() && path[folder.size()] != '.' &&
           path.substr(folder.size()).find('/') != std::string_view::npos;
  }

  /// At the top, or among the crates. What is read here is what goes into the tar.
  void take_lock() {
    for (const auto& place : {std::string(k_lock), m_folder + std::string(k_lock)}) {
      if (!m_tree->has(place)) continue;
      m_lock_path = place;
      m_lock = m_tree->read(place, cargo::k_max_lock_file);
      if (m_listing) require_stated(*m_lock, m_listing->digests.at(place), place);
      m_locked = with_context("in " + printable(place), [&] { return cargo::parse_lock_file(*m_lock); });
      return;
    }
  }

  void sort_out(WantedFile file) {
    const auto& path = file.path;
    if (path == m_lock_path) return;
    if (is_of_crate(path, m_folder)) {
      if (m_tree->is_link(path)) {
        throw Error(ErrorCode::not_regular, fmt::format("'{}' is a link", printable(path)),
                    "`cargo vendor` writes none: have the folder made anew");
      }
      m_files.push_back(std::move(file));
    } else if (path == m_folder + std::string(k_lock)) {
      require_same_lock(file);
    } else if (path.starts_with(m_folder)) {
      throw Error(ErrorCode::extra_file, fmt::format("'{}' belongs to no crate", printable(path)),
                  "find out who added it; beside the crates may lie Cargo.lock and a list of digests");
    } else {
      m_left.push_back(path);
    }
  }

  /// It lies at the top and among the crates: one of both is carried, so both must be that one.
  void require_same_lock(const WantedFile& file) const {
    const auto text = m_tree->read(file.path, cargo::k_max_lock_file);
    if (file.stated) require_stated(text, *file.stated, file.path);
    if (text == *m_lock) return;
    throw Error(ErrorCode::path_collision,
                fmt::format("'{}' and '{}' differ", printable(m_lock_path), printable(file.path)),
                "find out which one the crates were vendored with, and take the other out");
  }

  std::string_view below(const WantedFile& file) const { return std::string_view(file.path).substr(m_folder.size()); }

  std::size_t crate_folders() const {
    std::set<std::string_view> out;
    for (const auto& file : m_files) out.insert(below(file).substr(0, below(file).find('/')));
    return out.size();
  }

  Artifact make(StagedFiles& staged) const {
    const auto digest = staged.make([&](int out) {
      cargo::VendorArchive archive(out);
      if (m_lock) archive.lock(*m_lock);
      for (const auto& file : m_files) pack(file, archive);
      archive.end();
    });
    Artifact out{.kind = std::string(cargo::k_vendor_kind),
                 .name = portable_component(title_of(*m_tree, m_locked)),
                 .version = digest.hex().substr(0, 12),
                 .license = {},
                 .facts = {{"crates", crate_folders()}},
                 .needs = {},
                 .files = {}};
    if (!m_lock) out.facts[cargo::k_fact_lock] = false;
    auto evidence = listing_evidence(m_listing, "");
    evidence.front().details["packed"] = "as one tar";
    if (m_lock) evidence.front().details["lock_sha256"] = sha256(*m_lock).hex();
    out.files.push_back({.path = RelPath::parse(cargo::vendor_path(out.name)),
                         .size = staged.size(digest),
                         .digest = digest,
                         .origin = m_tree->name(),
                         .evidence = std::move(evidence)});
    return out;
  }

  void pack(const WantedFile& file, cargo::VendorArchive& archive) const {
    const auto range = m_tree->open(file.path);
    const auto executable = m_tree->is_executable(file.path) ? cargo::Executable::yes : cargo::Executable::no;
    const auto digest = archive.file(std::string(below(file)), range.fd, range.offset, range.size, executable);
    if (!file.stated || digest == *file.stated) return;
    fail(ErrorCode::digest_mismatch, "'{}' has {} instead of {}, which {} states", printable(file.path), digest.text(),
         file.stated->text(), file.stated_by);
  }

  std::shared_ptr<const Tree> m_tree;
  std::string m_folder;
  std::optional<Listing> m_listing;
  std::string m_lock_path;
  std::optional<std::string> m_lock;
  std::optional<cargo::LockFile> m_locked;
  std::vector<WantedFile> m_files;
  std::vector<std::string> m_left;
};

}  // namespace

std::optional<Found> recognise_cargo_vendor(const std::shared_ptr<const Tree>& tree, const ImportCells&) {
  auto folder = crates_folder(*tree);
  if (!folder) return std::nullopt;
  return VendoredTree(tree, std::move(*folder)).found();
}

}  // namespace liftlock
