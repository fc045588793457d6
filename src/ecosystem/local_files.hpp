// Low side: what a local source of the stack consists of: a file, a folder, or a model in a Hugging Face cache.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "ecosystem/collector.hpp"
#include "os/file.hpp"

namespace liftlock {

/// fs::status(), with what cannot be reached as an Error. What is not there has the type not_found.
fs::file_status status_of(const fs::path& at);
/// fs::canonical(), with an Error.
fs::path real_path(const fs::path& at);

/// A path as the stack writes it: "~/x" is below HOME, a relative one below the stack's folder.
fs::path stack_path(std::string_view text, const fs::path& stack_folder);
/// Where nothing is at `path`: the highest of its parents that is not there either, or the path itself. Who moved a
/// folder wants to read of the folder. Absolute.
fs::path gone_place(const fs::path& path);

/// "'data' leads by a link to '/srv/data'": a source that is a link, or below one, is followed, and said. Nothing where
/// it is where it is named, or is not there. For people, and not for the lock: it names places of this machine.
std::optional<std::string> link_note(std::string_view source, const fs::path& stack_folder);

/// What an entry of the stack takes is not there: all of its source, or a part of it?
bool source_is_gone(const StackEntry& entry, const fs::path& stack_folder);

/// One regular file of a local source.
struct LocalFile {
  std::string path;             ///< relative to the source; the file name when the source is a file
  fs::path at;                  ///< where its bytes are, all links resolved
  std::optional<Digest> named;  ///< the SHA-256 that its place states (a blob of a Hugging Face cache)
};

/// The files of a file or a folder, sorted by path; what lies at or below a name that begins with a dot is left out,
/// unless a pattern of `include` that has such a dot takes it (".env", ".conf/**"). A link inside a folder is
/// followed in one case only: the folder is `models--X/snapshots/REV` of a Hugging Face cache and the link leads to
/// `models--X/blobs/HEX`. A folder `models--X` itself stands for the snapshot that refs/main names.
/// @throws Error{not_found}, Error{not_regular} for other links and special files, Error{stack_invalid} for an Ollama
/// store, a cache of several repositories and an empty folder
std::vector<LocalFile> list_local_files(const fs::path& source, std::span<const std::string> include = {});

/// The hidden files of a folder that list_local_files leaves out and the patterns would take otherwise, sorted.
std::vector<std::string> hidden_left_out(const fs::path& source, std::span<const std::string> include,
                                         std::span<const std::string> exclude);

/// As require_portable() of base/portable_names.hpp, with what to do about files of a folder.
void require_portable(std::span<const LocalFile> files, std::string_view where);

/// Does an entry take this path? Empty include: everything. A pattern without '/' is compared with the file name too.
bool is_selected(std::string_view path, std::span<const std::string> include, std::span<const std::string> exclude);

/// "models/a.gguf": the origin of a file of a folder that the stack calls "models" or "models/".
std::string origin_below(const std::string& source, std::string_view path);
/// The origins of what an entry takes of its local source, by its keys `source`, `include` and `exclude`.
std::vector<std::string> selected_origins(const StackEntry& entry, const fs::path& stack_folder);

}  // namespace liftlock
