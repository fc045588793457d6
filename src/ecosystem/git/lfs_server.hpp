// Low side: a server of Git LFS, asked where files are. Source: git-lfs docs/api/server-discovery.md, docs/api/batch.md
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "ecosystem/collector.hpp"
#include "ecosystem/git/lfs_batch.hpp"
#include "fetch/downloader.hpp"

namespace liftlock::git {

struct LfsAddress {
  /// Who names it: the stack, with lfs_url; the repository, with its .lfsconfig; nobody, so that it is what git-lfs
  /// takes then.
  enum class By : std::uint8_t { stack, repository, nobody };
  std::string url;
  By by = By::nobody;
};

/// Where an upstream's files of Git LFS are: lfs_url of the stack; else `configured`, lfs.url of the repository's own
/// .lfsconfig, where that is the origin of the repository (or its https, of an http at port 80); else
/// "SOURCE.git/info/lfs". Without '/' at its end, '?' and '#'.
/// @param source what git is told; nullopt for a path and no lfs_url: no server is known
/// @throws Error{stack_invalid}; Error{unresolvable} where .lfsconfig leads elsewhere
std::optional<LfsAddress> lfs_address(const StackEntry& entry, const std::string& source,
                                      const std::optional<std::string>& configured);

class LfsServer {
 public:
  /// What it means that nothing is at the address itself (404, 405, 501): an error of one that somebody names. Where
  /// nobody does, that there is no server, and so none of the files.
  enum class Absence : std::uint8_t { is_error, means_none };

  /// @param downloader must outlive this object
  LfsServer(Downloader& downloader, std::string address, Absence absence = Absence::is_error)
      : m_downloader(&downloader), m_address(std::move(address)), m_absence(absence) {}

  /// "ADDRESS/objects/OID": how the lock says where a file is from. Nobody is asked there.
  std::string name_of(const Digest& oid) const;
  const std::string& address() const { return m_address; }
  /// The server of such a name; nullopt where it is none.
  static std::optional<std::string> address_in(std::string_view name, const Digest& oid);

  /// With what git itself has here: ~/.netrc, proxies and CA files of the environment.
  /// @param wanted k_lfs_at_once at most, each oid once @return as parse_lfs_answer() does
  /// @throws what that does; Error{http_status, network}
  std::vector<std::optional<LfsDownload>> ask(std::span<const LfsPointer> wanted) const;
  /// Those of any number that it does not have. @throws as ask()
  std::set<Digest> lacking(std::span<const LfsPointer> wanted) const;

 private:
  Downloader* m_downloader;
  std::string m_address;
  Absence m_absence;
};

/// For how long an answer is believed: as it says, and some minutes at most. @param now by the clock of this machine
std::chrono::seconds lfs_good_for(const LfsDownload& download, Timestamp now);

/// Where a file is fetched from. A login of .netrc is the server's own: it goes to the origin of the server, and there
/// only where the answer does not say that none is needed. @param address of the server @throws Error{network}
FetchPlace fetch_place(const LfsDownload& download, const std::string& address);

/// Files on their way: what the server says of where they are is good for a while, so it is asked when the queue of
/// downloads comes to one, of a hundred at once, and again after some minutes. One thread at a time, as the queue has
/// it.
class LfsPlaces {
 public:
  LfsPlaces(LfsServer server, std::vector<LfsPointer> wanted)
      : m_server(std::move(server)), m_wanted(std::move(wanted)), m_known(m_wanted.size()) {}

  /// @throws as LfsServer::ask(); Error{upstream_changed} for what the server no longer has
  FetchPlace place_of(std::size_t index);

 private:
  using Clock = std::chrono::steady_clock;
  struct Known {
    LfsDownload download;
    Clock::time_point until;
  };
  void ask_from(std::size_t index);

  LfsServer m_server;
  std::vector<LfsPointer> m_wanted;
  std::vector<std::optional<Known>> m_known;
};

}  // namespace liftlock::git
