// Where packages come from: the system's own sources (sources.list(5)), or what the stack says instead.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "ecosystem/collector.hpp"

namespace liftlock::apt {

/// Whose signature a suite must carry.
struct Keyring {
  std::vector<std::filesystem::path> files;  ///< binary or armored
  std::vector<std::string> embedded;         ///< armored key blocks that stand in a *.sources file
  std::vector<std::string> fingerprints;     ///< when not empty, only these keys count (40 hex digits, upper case)
  bool empty() const { return files.empty() && embedded.empty() && fingerprints.empty(); }
};

struct AptSource {
  std::vector<std::string> uris;
  std::vector<std::string> suites;         ///< "bookworm"; a name that ends in '/' is a flat repository
  std::vector<std::string> components;     ///< empty for flat repositories
  std::vector<std::string> architectures;  ///< empty: any
  Keyring keyring;                         ///< empty: the system's default
  std::string where;                       ///< file of the system, for messages
};

/// The one-line style: "deb [arch=amd64 signed-by=/path] URI SUITE COMPONENT…". Other types than deb are skipped.
/// @throws Error{config_invalid}
std::vector<AptSource> parse_sources_list(std::string_view text, const std::string& where);
/// The deb822 style. @throws Error{config_invalid}
std::vector<AptSource> parse_sources_deb822(std::string_view text, const std::string& where);

/// A *.list or *.sources file, or the folder /etc/apt with sources.list and sources.list.d/.
std::vector<AptSource> read_sources(const std::filesystem::path& path);

/// /usr/share/keyrings/debian-archive-keyring.gpg (or Ubuntu's), else all of /etc/apt/trusted.gpg.d.
/// Never "trusted=yes": what nobody signed is not taken.
Keyring default_keyring();

/// One suite to read.
struct Suite {
  std::string uri;  ///< ends with '/'
  std::string name;
  std::vector<std::string> components;
  Keyring keyring;
  std::vector<std::string> architectures = {};  ///< empty: any

  bool is_flat() const { return name.ends_with('/'); }
  /// The folder of InRelease, ends with '/'.
  std::string release_url() const;
};

/// The suites that an entry of the stack means: its keys mirror, suites, components, keyring and sources_file over the
/// system's own sources. `notes` is told what was taken from where.
/// @throws Error{stack_invalid, config_invalid}
std::vector<Suite> choose_suites(const StackEntry& entry, const std::filesystem::path& stack_folder,
                                 std::vector<std::string>& notes);

}  // namespace liftlock::apt
