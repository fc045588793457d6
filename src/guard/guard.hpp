// Judges the files of a bundle by a guard profile, and writes the lists that a guard asks for.
// Format: docs/formats/profile.md.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "guard/guard_profile.hpp"
#include "guard/inside_archives.hpp"
#include "os/fd.hpp"

namespace liftlock {

/// One file as the guard will see it.
struct GuardedFile {
  std::string
      path;  ///< relative to the folder that holds the bundle: "demo-7/README.txt"; of a member "…/content.tar!…"
  std::uint64_t size = 0;
  std::optional<Digest> digest;             ///< nullopt: not known yet
  std::shared_ptr<const std::string> text;  ///< the bytes of a document of ours; else
  std::function<UniqueFd()> open;           ///< read-only; may be called from another thread
  std::optional<ContentType> type;          ///< known without looking
  enum class Place : std::uint8_t {
    in_folder,
    in_tar,    ///< a member of content.tar
    foreseen,  ///< the signature that is made later
  } place = Place::in_folder;
};

struct GuardReport {
  static constexpr std::size_t k_most = 1000;

  struct Listed {
    std::string path;
    std::uint64_t size = 0;
    ContentType type = ContentType::unknown;
    std::optional<Digest> digest;
  };
  std::vector<Breach> breaches;  ///< at most k_most: of the bundle first, then by path
  std::uint64_t count = 0;       ///< of all breaches
  std::vector<Listed> files;     ///< those in the folder, sorted by path
};

/// Looks into an archive somewhere safe: descriptor, request; see inside_archives.hpp. Called from several threads.
/// @throws Error{inspection_failed}
using LookInside = std::function<std::string(const std::string& request, int fd)>;

class Guard {
 public:
  Guard(GuardProfile profile, LookInside look_inside);

  const GuardProfile& profile() const { return m_profile; }

  enum class Archives : std::uint8_t {
    look_inside,
    seen_before,  ///< the same content was judged already: only types, names and sizes
  };

  /// Reads of each file what its type needs, and archives whole where the profile limits nesting; on all cores. What
  /// was read once is not read again by a second call: it is known by its digest.
  /// @throws Error{io_error, …} of open(); what an archive does to its cell is a breach, not an error
  GuardReport judge(const std::vector<GuardedFile>& files, Archives archives = Archives::look_inside);

 private:
  struct Seen {
    ContentType type = ContentType::unknown;
    std::optional<InsideReport> inside;  ///< paths begin with '!'
  };
  Seen look_at(const GuardedFile& file, Archives archives);
  std::optional<InsideReport> inside_of(const GuardedFile& file, ContentType type, int fd) const;

  GuardProfile m_profile;
  LookInside m_look_inside;
  std::mutex m_mutex;
  std::map<Digest, Seen> m_seen;
};

/// FOLDER.sha256 and FOLDER.csv, each whole or not at all.
/// @return their names
std::vector<fs::path> write_guard_lists(const fs::path& folder, const GuardReport& report);
std::string write_csv_list(const GuardReport& report);
std::string write_sha256_list(const GuardReport& report);

/// The name of a bundle's folder in the paths that a guard sees: the last component, of "." too.
std::string folder_name(const fs::path& folder);

}  // namespace liftlock
