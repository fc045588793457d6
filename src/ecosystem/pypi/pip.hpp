// The user's own pip as a child process: it reads the user's configuration (index, proxies, certificates, find-links)
// and writes only to a scratch folder.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "ecosystem/pypi/pip_report.hpp"
#include "fetch/downloader.hpp"
#include "os/process.hpp"

namespace liftlock {

struct PipQuestion {
  std::vector<std::string> requirements;
  std::string requirements_file;  ///< absolute; empty: none
  std::string constraints;        ///< absolute; empty: none
  std::string python_version;     ///< "3.12"; empty: the interpreter's
  std::vector<std::string> platforms;
  std::vector<std::string> find_links;  ///< absolute
  bool sdists = false;
  bool prereleases = false;
};

/// Credentials that stand in the index URLs of pip's configuration; pip's report leaves them out.
class IndexCredentials {
 public:
  /// @param config_list what `pip config list` prints
  static IndexCredentials parse(std::string_view config_list);
  /// Basic, when the origin of url is that of an index with credentials; else nothing (netrc still applies).
  std::vector<HttpHeader> headers_for(const std::string& url) const;

 private:
  std::map<std::string, std::string> m_by_origin;  ///< "https://host:port" → "user:password"
};

class Pip {
 public:
  Pip(std::string interpreter, std::filesystem::path scratch);

  /// `pip install --dry-run --ignore-installed --report`.
  /// @throws Error{unresolvable} with pip's own words, Error{tool_missing} without interpreter or with pip before 22.2
  PipReport resolve(const PipQuestion& question) const;
  IndexCredentials index_credentials() const;

  /// Installs what is asked for into target, from nothing but the files of a folder, without a network.
  /// @return pip's own words when it cannot; empty when it did. @throws as resolve, Error{sandbox_unavailable}
  std::string install_from(const PipQuestion& question, const std::filesystem::path& wheelhouse,
                           const std::filesystem::path& target) const;
  /// "pip 23.2.1, Python 3.11"
  std::string version() const;

 private:
  ProcessResult run(const std::vector<std::string>& command, const PipQuestion& question, bool network) const;

  std::string m_interpreter;
  std::filesystem::path m_scratch;
};

}  // namespace liftlock
