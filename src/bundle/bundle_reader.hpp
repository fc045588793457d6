// A bundle as it lies in a folder, on a read-only mount or a medium. Reads, never writes, never follows links.
#pragma once

#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "bundle/manifest.hpp"
#include "bundle/tar_layout.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"
#include "trust/trust.hpp"

namespace liftlock {

/// Something that is wrong with a bundle. Verify collects them all; ingest stops at the first.
struct Problem {
  ErrorCode code;
  std::string path;  ///< of the bundle; empty: the bundle as a whole. Printable.
  std::string message;
};

/// Where the bytes of one content file are.
struct ContentRange {
  int fd = -1;  ///< valid as long as `owner`, or the reader for content.tar
  std::uint64_t offset = 0;
  UniqueFd owner;
};

class BundleReader {
 public:
  /// Reads and parses bundle.json. @throws Error{not_a_bundle} and those of parse_bundle_info
  explicit BundleReader(fs::path folder);

  const fs::path& folder() const { return m_folder; }
  const BundleInfo& info() const { return m_info; }
  /// The exact bytes that are signed.
  const std::string& bundle_json() const { return m_bundle_json; }
  /// What people compare: the SHA-256 of bundle.json.
  const Digest& digest() const { return m_digest; }

  /// The files of signatures/, sorted by name. @throws Error{limit_exceeded, not_regular}
  /// Also those in FOLDER/signatures/ of each of `more`; of one name the first found.
  std::vector<SignatureFile> signatures(const std::vector<fs::path>& more = {}) const;
  /// The trust statements that travel along, lowest version first; they prove themselves. @throws Error{limit_exceeded}
  std::vector<std::string> trust_statements() const;

  /// The exact bytes of a bound file, checked against its size and digest.
  /// @throws Error{missing_file, size_mismatch, digest_mismatch}
  std::string read_list(const RelPath& path) const;
  /// Reads the two lists into files() and artifacts(). @throws as read_list, parse_files_list, parse_artifacts_list
  void load_lists();
  /// What the bundle carries.
  const std::vector<FileEntry>& files() const { return m_files; }
  /// What a delta leaves out, because the receiver has it; sorted by path.
  const std::vector<FileEntry>& left_out() const { return m_left_out; }
  const std::vector<Artifact>& artifacts() const { return m_artifacts; }

  /// After load_lists(): these content files may be there or not, whatever is in them, and are not read; and the
  /// statement that says so may lie beside the bundle (bundle/withheld.hpp). Without this it is an extra file.
  void withhold(std::set<RelPath> paths);
  bool is_withheld(const FileEntry& file) const { return m_withheld.contains(file.path); }

  /// After load_lists(): compares the folder with the lists by name, type and size. Every missing, extra, special or
  /// wrongly sized file is one problem.
  std::vector<Problem> survey();

  /// After load_lists(): one content file, its size checked; for content.tar its header and padding are compared too.
  /// Safe from several threads. @throws Error{missing_file, not_regular, size_mismatch, tar_mismatch}
  ContentRange open_content(std::size_t index) const;
  /// The same of a small file of content.tar, with all of its bytes, in one read; nullopt for any other file.
  /// @param memory is made as large as it has to be; what is returned lies in it
  std::optional<std::span<const std::uint8_t>> read_small(std::size_t index, std::vector<std::uint8_t>& memory) const;

 private:
  void require_tar() const;
  bool is_beside(const RelPath& path) const;
  void survey_tar(std::vector<Problem>& problems) const;

  fs::path m_folder;
  UniqueFd m_folder_fd;
  std::string m_bundle_json;
  Digest m_digest;
  BundleInfo m_info;
  std::vector<FileEntry> m_files;
  std::vector<FileEntry> m_left_out;
  std::vector<Artifact> m_artifacts;
  std::set<RelPath> m_withheld;
  UniqueFd m_tar;
  TarLayout m_layout;
};

}  // namespace liftlock
