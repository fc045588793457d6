// The signed front of a bundle: bundle.json, and the two lists that it binds. Format: docs/formats/bundle.md.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/artifact.hpp"
#include "base/clock.hpp"
#include "base/digest.hpp"
#include "base/rel_path.hpp"

namespace liftlock {

/// What this program can read; a bundle says with min_reader what it needs.
inline constexpr std::uint64_t k_bundle_reader = 2;

namespace bundle_limits {
inline constexpr std::uint64_t k_bundle_json = 1u << 20;
inline constexpr std::uint64_t k_list = 2ull << 30;     ///< one list, in bytes
inline constexpr std::uint64_t k_file_line = 1u << 20;  ///< one line of files.jsonl
inline constexpr std::uint64_t k_artifact_line = 256u << 20;
inline constexpr std::size_t k_files = 2'000'000;
inline constexpr std::size_t k_signatures = 64;
inline constexpr std::uint64_t k_signature = 64u << 10;
inline constexpr std::uint64_t k_trust_statement = 1u << 20;
inline constexpr std::uint64_t k_trust_chain = 16u << 20;  ///< all statements together
}  // namespace bundle_limits

enum class ContentForm : std::uint8_t {
  tree,  ///< plain files in plain folders
  tar,   ///< content.tar, whose headers follow from files.jsonl
};

/// A file that bundle.json names with its size and digest.
struct BoundFile {
  std::uint64_t size = 0;
  Digest digest;
};

struct PreviousBundle {
  std::uint64_t sequence = 0;
  Digest digest;
};

/// What the receiver of a delta has already, and the bundle therefore leaves out.
struct LeftOut {
  std::string base;  ///< "lock", "bundle", "receipt" or "request"
  Digest digest;     ///< of that document
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
};

/// manifest/bundle.json.
struct BundleInfo {
  std::string channel;
  std::uint64_t sequence = 0;
  std::vector<std::uint64_t> pending;  ///< lower sequences still under way that may arrive after this one
  std::optional<PreviousBundle> previous;
  std::string bundle_version;
  std::string creator;
  Timestamp creation_date;
  std::optional<Timestamp> expires;
  std::string expedited;  ///< why it did not wait for the channel's next date; empty: it is a regular one
  std::string low_side_host;
  std::string stack;
  std::optional<Digest> lock;
  std::optional<std::string> models_directory_hash;
  std::optional<LeftOut> builds_on;  ///< of a delta
  ContentForm form = ContentForm::tree;
  std::uint64_t content_files = 0;  ///< carried
  std::uint64_t content_bytes = 0;
  std::map<RelPath, BoundFile> lists;  ///< README.txt, checksums.txt, manifest/*.jsonl, sbom, trust statements
};

std::string write_bundle_info(const BundleInfo& info);
/// @throws Error{json_invalid, json_duplicate_key, schema_violation, too_new, limit_exceeded, path_unsafe}
BundleInfo parse_bundle_info(std::string_view text);

/// @throws Error{clock_behind} when it was made more than a day after `when`: by such a clock no expiry can be judged
void require_no_future(const BundleInfo& info, Timestamp when);

/// One line of manifest/files.jsonl.
struct FileEntry {
  RelPath path;
  std::uint64_t size = 0;
  Digest digest;
  std::vector<std::string> artifacts;  ///< ids of those it belongs to, sorted; empty for files made while packing

  bool operator==(const FileEntry&) const = default;
};

std::string write_file_entry(const FileEntry& entry);
/// @throws Error{json_invalid, schema_violation, path_unsafe, limit_exceeded}
FileEntry parse_file_entry(std::string_view line);

/// The content folders of a bundle; nothing else may stand at its top.
bool is_content_path(const RelPath& path);

/// Reads the whole of files.jsonl: sorted, unique, unique under case folding, only content paths, no path that is a
/// folder of another, no digest with two sizes. @throws as parse_file_entry, and Error{path_collision, limit_exceeded}
std::vector<FileEntry> parse_files_list(std::string_view text);
/// All files of a delta's artifacts, sorted: those it carries and those it leaves out.
/// @throws Error{path_collision} when one path is in both lists, or a folder of another; Error{schema_violation} when
/// one digest has two sizes
std::vector<FileEntry> join_files(const std::vector<FileEntry>& carried, const std::vector<FileEntry>& left_out);
/// Reads artifacts.jsonl: sorted by id, unique; every file of an artifact is in the list with equal size and digest,
/// and every listed file says which artifacts it belongs to. @throws Error{schema_violation, …}
std::vector<Artifact> parse_artifacts_list(std::string_view text, const std::vector<FileEntry>& files);

/// sha256sum's format, names as they are (RelPath holds nothing that needs escapes).
std::string checksum_line(const Digest& digest, const RelPath& path);

inline constexpr std::string_view k_bundle_json_path = "manifest/bundle.json";
inline constexpr std::string_view k_files_list_path = "manifest/files.jsonl";
inline constexpr std::string_view k_left_out_list_path = "manifest/left-out.jsonl";
inline constexpr std::string_view k_withheld_folder = "withheld";  ///< beside what is signed, as signatures/
inline constexpr std::string_view k_withheld_path = "withheld/withheld.json";
inline constexpr std::string_view k_artifacts_list_path = "manifest/artifacts.jsonl";
inline constexpr std::string_view k_sbom_path = "manifest/sbom.cdx.json";
inline constexpr std::string_view k_readme_path = "README.txt";
inline constexpr std::string_view k_checksums_path = "checksums.txt";
inline constexpr std::string_view k_content_tar_path = "content.tar";

}  // namespace liftlock
