// The configuration of the user's own npm: which registries, and the credentials for them.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "fetch/downloader.hpp"

namespace liftlock::npm {

/// Credentials of .npmrc files: lines such as `//registry.example/path/:_authToken=${TOKEN}`.
class Credentials {
 public:
  /// What stands there already is kept: read the file that counts most first.
  void add_npmrc(std::string_view text);
  /// Authorization for a URL whose host and path begin with a line's; the longest counts. Nothing where there is none.
  std::vector<HttpHeader> headers_for(const std::string& url) const;

 private:
  struct Login {
    std::string token, basic, user, password;
  };
  std::map<std::string, Login, std::less<>> m_by_place;  ///< "//host[:port]/path/"
};

struct ClientConfig {
  std::string registry;                       ///< with a '/' at its end; empty: there is no npm here to ask
  std::string default_registry;               ///< what npm calls "npmjs"; see ask_default_registry()
  std::map<std::string, std::string> scopes;  ///< "@scope" → its registry, with a '/' at its end
  std::string replace_registry_host = "npmjs";
  Credentials credentials;

  /// @param folder the project's, whose .npmrc counts
  /// @param scratch a folder for npm's cache and logs
  static ClientConfig read(const std::filesystem::path& folder, const std::filesystem::path& scratch);

  /// Asks npm what it would do without any configuration; nothing where there is no npm.
  void ask_default_registry(const std::filesystem::path& scratch);

  /// Does tarball_url() go by default_registry for this address? Asking takes npm a third of a second, and mostly the
  /// lock was written with the registry that it is taken from.
  bool needs_default_registry(const std::string& resolved) const;

  /// Where the tarball is, as `npm ci` with this configuration would find it.
  /// @param resolved as the lock has it; may be empty
  /// @throws Error{tool_missing} when only npm could tell and there is none
  std::string tarball_url(const std::string& name, const std::string& version, const std::string& resolved) const;
};

/// The URL at another registry, as npm's replace-registry-host does it: the registry's path before that of the URL,
/// where it does not begin with it.
std::string at_registry(const std::string& url, const std::string& registry);

}  // namespace liftlock::npm
