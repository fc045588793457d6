// Low side: the git that is installed, run so that nothing but its arguments decides what it does: no hooks, no
// configuration of the user or the machine, no questions, no other protocols than https, http and files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "os/file.hpp"

namespace liftlock::git {

class GitProgram {
 public:
  /// @param home an empty folder of the caller's. The user's .netrc (or the file that NETRC names) is what it gives
  ///        as credentials; proxies and CA files come from the environment, as for the Downloader.
  explicit GitProgram(fs::path home);

  /// Its standard output. Of the protocols it may use the one of the address among the arguments: files without one,
  /// and of https:// nothing less. More than max_output is Error{limit_exceeded}. @throws Error{tool_missing,
  /// tool_failed, limit_exceeded}
  std::string run(std::vector<std::string> arguments, const std::string& input = {},
                  std::uint64_t max_output = 64u << 20) const;
  /// "2.39.5". @throws Error{tool_missing, tool_failed}
  std::string version() const;

 private:
  fs::path m_home;
};

/// Arguments `-c KEY=VALUE…` that make git refuse objects that are wrong while it fetches them (git-fsck(1)), but for
/// old slips that hurt nobody and that much of the world's history has (k_tolerated).
std::vector<std::string> fsck_settings(std::string_view section);

}  // namespace liftlock::git
