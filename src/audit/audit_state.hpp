// The inside of AuditLog: its folder, its key, and the state that the journal gives. Not for other rooms.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "audit/audit_log.hpp"
#include "audit/audit_snapshot.hpp"
#include "audit/compact_range.hpp"
#include "audit/journal.hpp"
#include "audit/signed_note.hpp"

namespace liftlock {

/// check_log.py, embedded at build time.
extern const std::string_view k_check_log_script;

struct AuditLog::Impl {
  fs::path folder;
  Access access = Access::write;
  std::optional<PrivateKey> key;  ///< only with Access::write
  NoteKey verifier;
  std::mutex mutex;
  JournalState state;
  CompactRange range;                       ///< of state.edge
  UniqueFd journal;                         ///< kept open: while it is, its inode number is not given to another file
  std::uint64_t dropped_bytes = 0;          ///< torn bytes that the next append reports
  std::vector<std::string> damaged;         ///< derived files that will be made again, and no entry says so yet
  std::vector<std::string> repaired;        ///< those that an entry told
  std::uint64_t published = 0;              ///< the size that the derived files show
  std::atomic<bool> reserve_spent = false;  ///< and no entry says so yet
  /// A sync failed: what is on disk is unknown until the log is opened again. Where tiles are written it is set without
  /// the mutex.
  std::atomic<bool> failed = false;

  fs::path journal_path() const { return folder / "journal"; }
  fs::path checkpoint_path() const { return folder / "checkpoint"; }

  void create(std::string_view origin);
  void load_key();
  void load_verifier();
  /// Reads the journal again if somebody else changed it. true when it did.
  bool reload();
  /// The same with the lock file held: checks the checkpoint, drops torn bytes, repairs derived files.
  void reload_locked();
  void reload_and_check();
  void check_checkpoint() const;
  struct Views {
    bool current = false;              ///< there, and as long as a finished append leaves them
    std::vector<std::string> damaged;  ///< other bytes than the journal makes, and no crash leaves such
  };
  /// How the derived files stand. @throws Error{audit_broken} when they say more than the journal
  Views look_at_views() const;
  std::string sign(const CompactRange& tree) const;
  /// Durable when it returns. @param make the entries, `count` of them, at this time; told with the lock held
  std::uint64_t append(std::size_t count, const std::function<std::vector<std::string>(Timestamp)>& make);
  /// Entries of what was met since the last append: torn bytes, damaged files.
  std::vector<std::string> news(Timestamp time) const;
  /// Appends them, with the lock held.
  void tell_news();
  void news_are_told();
  /// Makes durable what the log holds, in a file that no failed sync knows of. Returns its size.
  std::uint64_t renew();
  void renew_journal();
  /// @throws Error when nothing can be appended
  void require_healthy() const;
  /// Durable when it returns; the derived files are left behind.
  void commit(const std::vector<std::string>& entries);
  enum class Publish { changes, everything };
  /// Writes the derived files.
  void publish(Publish what);
  /// Of these, what never changes again: nobody who appends waits for it.
  void publish_full_tiles();
  /// Path and content of the full tiles and bundles that the journal still makes; some may be on disk already.
  std::vector<std::pair<fs::path, std::string>> full_files() const;
  void settle();
  /// Publishes; where that fails, the journal stays long.
  void shorten_journal();
  /// With zeros behind it: an append that overwrites them costs a sync of data, not of the file's size, too.
  void begin_journal(const std::string& content, std::uint64_t room);
  AuditSnapshot snapshot();
  AuditSnapshot check_views();
};

}  // namespace liftlock
