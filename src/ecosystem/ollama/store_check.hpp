// What is wrong with a store of Ollama, and how to set it right. Ollama itself looks at blobs only while it pulls,
// takes every file below manifests/ for a manifest, and removes what it does not know from blobs/ when it starts.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/reporter.hpp"
#include "os/file.hpp"

namespace liftlock::ollama {

struct StoreFinding {
  enum class Kind : std::uint8_t {
    layout,        ///< the folder is one too high or too low, or stands in itself
    not_manifest,  ///< a file below manifests/ that Ollama takes for one
    missing,       ///< a blob that a manifest names
    wrong_size,    ///< a blob of another size than its manifest says
    wrong_digest,  ///< a blob whose bytes are not what its name says
    stray,         ///< a file in blobs/ that Ollama removes when it starts
    unused,        ///< a blob that no manifest names: Ollama removes it when it starts
    unreadable,    ///< the user that Ollama runs as cannot read it, or not write where it must
  };
  Kind kind;
  std::string path;
  std::string message;
  std::string fix;  ///< a command or what to do
};
std::string_view name(StoreFinding::Kind kind);

/// Who Ollama runs as.
struct StoreUser {
  std::string name;
  uid_t uid = 0;
  std::vector<gid_t> groups;  ///< the first is its own
};

struct StoreCheck {
  fs::path store;
  std::vector<std::string> models;  ///< those that are whole, as `ollama list` shows them
  std::vector<StoreFinding> findings;
  std::uint64_t hashed = 0;  ///< bytes
};

/// Hashes every blob that a manifest names. Blobs that nothing names are remarks, too.
/// @throws Error{not_found} when there is no store at all
StoreCheck check_store(const fs::path& folder, const StoreUser& user, Reporter& reporter);

}  // namespace liftlock::ollama
