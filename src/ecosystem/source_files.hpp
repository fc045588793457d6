// Low side: files that an entry of the stack names by path (local_files.hpp) or by URL, taken into the store: what
// collectors of plain files share.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "ecosystem/collector.hpp"
#include "ecosystem/local_files.hpp"

namespace liftlock {

/// "https://…", "http://…", "file:///…": anything with a scheme.
bool is_url(std::string_view source);
/// What a registry of images holds, or an archive or layout of it, as skopeo names them: "docker://…", "oci:…".
bool is_of_registry(std::string_view source);
/// The last component of the URL's path, percent-decoded, without query ("?download=true") and fragment, made portable.
std::string file_name_of_url(std::string_view url);
/// @throws Error{stack_invalid} when the URL holds a user name or password: they belong in .netrc
void refuse_credentials(std::string_view url, std::string_view where);

struct TakenFile {
  Digest digest;
  std::uint64_t size = 0;
};

/// Whose files are taken: the user's, which stay where they are, or some that were made for this run and go with it.
enum class FilesOf : std::uint8_t { run, user };

/// Hashes local files while they are copied into the store, so that they are read once, on all cores; a file whose
/// `named` digest the store holds is only read. One commit for all of them. The user's are only referred to where the
/// context says so and the file system makes no clones: BlobStore then counts them as contained.
/// @throws Error{digest_mismatch} when `named` is not what the bytes are; Error{upstream_changed} when a file that is
/// referred to is written to meanwhile
std::vector<TakenFile> take_local_files(CollectContext& context, std::string_view batch,
                                        std::span<const LocalFile> files, FilesOf whose = FilesOf::run);

/// Of the locked files that the store lacks, refers to those that still lie, as they were locked, where the user has
/// them. Without effect where the context wants copies or the file system makes clones; then their jobs copy them.
void refer_to_local_files(CollectContext& context, std::string_view stack, std::span<const Artifact> artifacts);

/// Size and digest of a URL: with a stated digest and a server that tells the size nothing is downloaded.
TakenFile take_url(CollectContext& context, const std::string& url, const std::optional<Digest>& stated);

/// Is a locked file of a path (never of a URL) other than it was locked? What is gone or cannot be read is not. Large
/// ones are read only if their size is another or they were touched after `locked_at`, the time that the lock was
/// written.
bool has_changed(const ArtifactFile& file, const std::filesystem::path& stack_folder, Timestamp locked_at);

/// The job for a file of the entry that the store lacks: a download, or a copy when the origin is a path. headers may
/// be empty.
FetchJob job_for(const ArtifactFile& file, const StackEntry& entry, const CollectContext& context,
                 std::function<std::vector<HttpHeader>()> headers);

/// 64 hexadecimal digits, with or without "sha256:". @throws Error{stack_invalid} naming `where`
Digest parse_stated_digest(std::string_view text, std::string_view where);

Evidence stated_evidence(std::string_view by);
Evidence first_use_evidence();

}  // namespace liftlock
