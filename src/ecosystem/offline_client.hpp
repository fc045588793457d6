// Low side: what `check` of several ecosystems shares: the files of a stack laid out for a client that runs where there
// is no network, and what the client said.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/artifact.hpp"
#include "ecosystem/collector.hpp"
#include "os/process.hpp"

namespace liftlock {

/// What a client says that helps nobody.
struct ClientNoise {
  std::vector<std::string_view> prefixes = {};  ///< beginnings of its lines that say nothing ("npm error"), once each
  std::vector<std::string_view> lines = {};     ///< lines that begin so, behind the prefix, are left out
  std::string_view end = {};                    ///< the line from which on nothing matters; empty: none
};

/// What a client did.
struct ClientAnswer {
  bool done = false;
  std::string output;  ///< its standard output
  std::string words;   ///< its standard error in one line; when it is not done, never empty: then from elsewhere
};

/// Runs it in an empty network namespace and without the daemons of /run (ecosystem/without_network.hpp).
/// @throws Error{tool_missing, sandbox_unavailable, tool_failed, limit_exceeded}
ClientAnswer run_offline(ProcessSpec spec, const ClientNoise& noise = {});

/// Non-empty lines in one, made printable; of a long text the end.
std::string in_one_line(std::string_view text, const ClientNoise& noise = {});

/// A folder of the scratch folder that is removed with the object, whatever its modes are: Go's cache is read-only.
class ScratchFolder {
 public:
  /// @throws Error{io_error} where it is there already
  ScratchFolder(const std::filesystem::path& scratch, std::string_view name);
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::filesystem::path& path() const { return m_path; }

 private:
  std::filesystem::path m_path;
};

/// Links of the store's files below `folder`: at the path that each has in a bundle, without `prefix`
/// ("packages/go/"). Files whose path does not begin with it are left out.
void link_files(const CollectContext& context, const std::vector<Artifact>& artifacts, std::string_view prefix,
                const std::filesystem::path& folder);

}  // namespace liftlock
