// What others pack comes in shapes: a .baimodel, a wheelhouse, an OCI layout … Each has one recogniser, which says what
// it sees and which artifacts it becomes. Recognisers read names and small documents; content is looked at by
// inspectors, in a cell, once it was hashed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/artifact.hpp"
#include "base/json.hpp"
#include "engine/base.hpp"
#include "intake/tree.hpp"
#include "trust/trust.hpp"

namespace liftlock {

/// A file that an import takes in.
struct WantedFile {
  std::shared_ptr<const Tree> tree;
  std::string path;
  std::optional<Digest> stated;  ///< what a document of the import says of it: other bytes end the import
  std::string stated_by;         ///< "manifest.json"
};

/// The wanted files, hashed, in staging.
class StagedFiles {
 public:
  virtual ~StagedFiles() = default;
  /// @throws Error{not_found} for what was not wanted
  virtual const Digest& digest(const Tree& tree, std::string_view path) const = 0;
  /// Read-only. @throws Error{not_found}
  virtual UniqueFd open(const Digest& digest) const = 0;
  virtual bool has(const Digest& digest) const = 0;
  /// A document that was made here, not found: it is staged, too.
  virtual Digest keep(std::string_view document) = 0;
  /// A file that `write` writes into the descriptor that it is given: it is staged, too.
  virtual Digest make(const std::function<void(int out)>& write) = 0;
  /// Something that people should see, and that was learnt only now.
  virtual void remark(std::string text) = 0;

  std::uint64_t size(const Digest& digest) const;
  /// @throws Error{limit_exceeded}
  std::string read(const Digest& digest, std::uint64_t max_bytes) const;
};

/// What runs in a cell for an import.
struct ImportCells {
  fs::path scratch;           ///< a folder for what has to be decompressed or copied; nothing with a name is ever there
  std::uint64_t reserve = 0;  ///< bytes of its disk that stay free, whatever is unpacked before anybody vouched for it
  /// list_container(). @param out is written only for compressed tars, and at most that many bytes of it
  std::function<Container(int file, int out, std::uint64_t most)> list;
  /// What a package says of itself: {"name", "version", …}. @param kind "wheel", "sdist", "deb", "rpm", "chart"
  std::function<Json(std::string_view kind, int file, std::string_view filename)> describe;
  /// engine::read_elf().
  engine::ReadElf elf = {};
};

/// What signatures within the import speak for.
struct SignedDocument {
  std::string text;
  std::vector<SignatureFile> signatures;
  std::string what;  ///< "manifest.json"
};

/// One shape that was recognised.
struct Found {
  std::string shape;              ///< for --json: "baimodel"
  std::string words = {};         ///< for people: "a .baimodel package of the model tiny"
  Json preview = Json::object();  ///< what is known before anything is taken in
  std::vector<WantedFile> files = {};
  std::vector<WantedFile> checked = {};  ///< hashed and compared, and not taken in: a tar whose members are
  std::vector<WantedFile> packed = {};   ///< go into files that make() makes, which hashes and compares them
  bool with_hidden = false;              ///< hidden files belong to it: that the tree left them out is no news
  std::vector<std::string> notes = {};   ///< warnings, and what is left out
  std::optional<SignedDocument> document = {};
  /// Documents that are kept with the import, as they came: name and bytes.
  std::vector<std::pair<std::string, std::string>> kept = {};
  /// Does `document` speak for this artifact, all of it? Empty: for all. Called after make().
  std::function<bool(const Artifact&)> bound = {};
  /// Once every file is staged. Evidence says what the shape itself can prove; who vouches is added by the caller.
  std::function<std::vector<Artifact>(StagedFiles&)> make = {};
};

struct Recogniser {
  std::string_view shape;
  std::string_view accepts;  ///< for --help: "a .baimodel file (ZIP without compression)"
  /// nullopt: it is not this. @throws Error when it is, and is broken
  std::optional<Found> (*recognise)(const std::shared_ptr<const Tree>& tree, const ImportCells& cells);
};

/// In the order in which they are asked.
std::span<const Recogniser> recognisers();
/// @throws Error{import_unknown} that says what was seen and what would be accepted
Found recognise(const std::shared_ptr<const Tree>& tree, const ImportCells& cells);

/// The tree of a file or folder that an operator named. An archive is opened, and the one folder in it that holds all
/// else is taken off.
/// @param file the open file, where it is not to be opened by its name; may be empty
/// @throws Error{not_found, not_regular}, and what list_container() throws
std::shared_ptr<const Tree> open_import(const fs::path& source, std::shared_ptr<const UniqueFd> file,
                                        const ImportCells& cells);
/// The same of an open file, whatever lies where its name would lead.
std::shared_ptr<const Tree> tree_of_file(std::shared_ptr<const UniqueFd> file, const std::string& name,
                                         const ImportCells& cells);
/// The same of an archive within a tree; nullptr when it is none.
/// @param file what is stated of it: then it is hashed while it is copied, and read from the copy alone, so that the
///        bytes that were compared are those that are used
/// @throws Error{digest_mismatch, disk_full}
std::shared_ptr<const Tree> open_inner(const WantedFile& file, const ImportCells& cells);
/// The same with every member at its path: a folder that holds all else stays.
std::shared_ptr<const Tree> open_archive(const WantedFile& file, const ImportCells& cells);

/// What can be said against it by the first bytes of its files, for a plan, which hands no content to an inspector.
std::vector<std::string> doubts_about(const Found& found);

/// Run in a folder, this makes a list of all its files that vouches for them once somebody vouches for it.
inline constexpr std::string_view k_make_list = "find * -type f ! -name SHA256SUMS -exec sha256sum {} + > SHA256SUMS";

/// One file that nothing knows: what it looks like by its first bytes, as the end of "'x' …", and what to do.
struct Looks {
  std::string words;
  std::string advice;  ///< empty: there is none in particular
};
Looks looks_of(std::string_view name, std::string_view head, std::uint64_t size);

// the recognisers
std::optional<Found> recognise_baimodel(const std::shared_ptr<const Tree>& tree, const ImportCells& cells);
std::optional<Found> recognise_bundle_layout(const std::shared_ptr<const Tree>& tree, const ImportCells& cells);
std::optional<Found> recognise_zarf(const std::shared_ptr<const Tree>& tree, const ImportCells& cells);
std::optional<Found> recognise_hauler(const std::shared_ptr<const Tree>& tree, const ImportCells& cells);
std::optional<Found> recognise_modelkit(const std::shared_ptr<const Tree>& tree, const ImportCells& cells);
std::optional<Found> recognise_oci_layout(const std::shared_ptr<const Tree>& tree, const ImportCells& cells);
std::optional<Found> recognise_docker_archive(const std::shared_ptr<const Tree>& tree, const ImportCells& cells);
std::optional<Found> recognise_ollama(const std::shared_ptr<const Tree>& tree, const ImportCells& cells);
std::optional<Found> recognise_hf_cache(const std::shared_ptr<const Tree>& tree, const ImportCells& cells);
std::optional<Found> recognise_cargo_vendor(const std::shared_ptr<const Tree>& tree, const ImportCells& cells);
std::optional<Found> recognise_wheelhouse(const std::shared_ptr<const Tree>& tree, const ImportCells& cells);
std::optional<Found> recognise_debs(const std::shared_ptr<const Tree>& tree, const ImportCells& cells);
std::optional<Found> recognise_rpms(const std::shared_ptr<const Tree>& tree, const ImportCells& cells);
std::optional<Found> recognise_model(const std::shared_ptr<const Tree>& tree, const ImportCells& cells);
std::optional<Found> recognise_listed_files(const std::shared_ptr<const Tree>& tree, const ImportCells& cells);

}  // namespace liftlock
