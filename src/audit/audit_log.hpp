// The append-only log of everything that matters: a Merkle tree (RFC 6962 hashing) in C2SP tlog-tiles layout with
// signed checkpoints (C2SP tlog-checkpoint, signed-note; Ed25519). Format: docs/formats/audit.md. Safe with several
// threads and processes: appends take a lock file, readers take none.
//
// An append is one record in FOLDER/journal and one fdatasync; tiles and FOLDER/checkpoint are derived from the journal
// and are written again when a crash left them behind. What a crash tore was never acknowledged and is dropped, and the
// next append says so ("audit.recovered"). Derived files of the tree's right edge that hold other bytes are made again,
// too, and the log says so ("audit.repaired"); of full tiles only verify() knows. Whoever can write the folder can roll
// the whole folder back; only a checkpoint kept elsewhere (an export, a bundle, a witness) shows that.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/merkle.hpp"
#include "base/clock.hpp"
#include "base/digest.hpp"
#include "base/json.hpp"
#include "os/access.hpp"
#include "os/file.hpp"

namespace liftlock {

enum class Outcome : std::uint8_t { intent, success, failure };

struct AuditEvent {
  std::string type;   ///< "bundle.ingest", "bundle.pack", "trust.pin", "mirror.read", …
  std::string actor;  ///< see current_actor()
  Outcome outcome = Outcome::success;
  std::string subject;  ///< the thing it happened to: an artifact id, a bundle's channel/sequence, a key id
  std::string detail;   ///< JSON object as text, canonical (dump_json_line); at most 60,000 bytes
};

struct AuditEntry {
  std::uint64_t index = 0;
  Timestamp time;
  AuditEvent event;
};

/// "user(uid)", and behind sudo or su "user(uid) as root(0)": who logged in, as far as the kernel or sudo says.
std::string current_actor();

class AuditLog {
 public:
  /// Opens; creates the log with a fresh key (folder/key, mode 0600) when there is none.
  /// @param origin the checkpoint's origin line of a new log, no blanks, no '+'; empty: "liftlock/HOST/RANDOM".
  ///        A log that exists keeps its own
  /// @throws Error{audit_broken, audit_unwritable, disk_full}
  AuditLog(fs::path folder, std::string_view origin);
  /// Opens a log that is there for everything but append(): needs neither its private key nor write access, takes no
  /// lock and repairs nothing. @throws Error{not_found, audit_broken, io_error}
  static AuditLog open_to_read(fs::path folder);
  ~AuditLog();
  AuditLog(AuditLog&&) noexcept;

  /// Durable when it returns, with a new signed checkpoint. Returns the entry's index. The time in it is the wall
  /// clock's, whatever SOURCE_DATE_EPOCH says.
  /// @throws Error{audit_unwritable, disk_full, audit_broken}: the caller must not go on with the effect it announces;
  ///         Error{limit_exceeded, schema_violation} for an event that no entry can hold
  std::uint64_t append(const AuditEvent& event);
  /// Several in one commit, for the price of one. Returns the index of the first.
  std::uint64_t append(const std::vector<AuditEvent>& events);
  /// The same for entries that were made before (entry_to_bytes) and kept durable elsewhere until now: they keep the
  /// time at which that was. The derived files are left to publish(), to the next append() or to the next process that
  /// opens the log; but for a journal of 32 MiB.
  std::uint64_t append_made(const std::vector<std::string>& entries);
  /// Writes the derived files where they were left behind; appends go on meanwhile, but for a moment at its end.
  void publish();

  /// Could an append go ahead, as far as permissions, mounts and earlier failures tell? Writes nothing, so it knows
  /// nothing of free space.
  bool is_writable() const;

  std::uint64_t size() const;
  std::string checkpoint() const;    ///< the signed note, exact bytes
  std::string verifier_key() const;  ///< "name+hash+base64": the note verifier key of the log
  std::string name() const;          ///< the origin of its checkpoints
  /// Paths of derived files that had other bytes than no crash explains when they were met, which were made again from
  /// the journal; the log has an entry "audit.repaired" for them.
  std::vector<std::string> repaired() const;
  /// @throws Error{not_found, audit_broken}
  AuditEntry read(std::uint64_t index) const;
  /// The same for who acts on what it says: only an entry from which hashes lead to the root that the log's key signed.
  /// @throws Error{not_found, audit_broken}
  AuditEntry read_proven(std::uint64_t index) const;
  /// From oldest to newest within [begin, end); stops when visit returns false.
  void for_each(std::uint64_t begin, std::uint64_t end, const std::function<bool(const AuditEntry&)>& visit) const;
  /// The same of the entries alone whose type begins so ("trust."). The others are not parsed, whose number may be
  /// millions.
  void for_each_of(std::string_view type, std::uint64_t begin, std::uint64_t end,
                   const std::function<bool(const AuditEntry&)>& visit) const;

  /// The newest entry of that type and subject; `accept`, where given, must agree. Reads from the end backwards.
  std::optional<AuditEntry> find_last(std::string_view type, std::string_view subject,
                                      const std::function<bool(const AuditEntry&)>& accept = {}) const;

  /// Recomputes every hash from the entries up and compares with tiles and checkpoint.
  /// @param between called before every 256 entries; what it throws ends the check
  /// @throws Error{audit_broken, io_error}, and what entries that are none throw
  void verify(const std::function<void()>& between = {}) const;
  /// C2SP tlog-proof text for one entry against the current checkpoint. @throws Error{not_found}
  std::string prove(std::uint64_t index) const;
  /// RFC 6962 consistency proof from an earlier size, and the checkpoint that it leads to.
  struct Continuation {
    std::vector<TreeHash> path;
    std::string checkpoint;  ///< the signed note, exact bytes
  };
  /// @throws Error{not_found} when the log never had that size
  Continuation prove_continuation(std::uint64_t old_size) const;
  /// The root that the log had at that size. @throws Error{not_found}
  TreeHash root_at(std::uint64_t size) const;
  /// Copies the log (tiles, entries, checkpoint, public key, statements of witnesses, check script, README) to an empty
  /// folder.
  /// @throws Error{usage} when there is something in it
  void export_to(const fs::path& folder) const;

 private:
  struct Impl;
  explicit AuditLog(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> m_impl;
};

/// The log's entries around an effect (I8): the intent, durable before effect() starts; then success, or, when it
/// throws, failure with the error's code as member "error" of the detail, and the error is thrown on.
void logged_effect(AuditLog& log, AuditEvent event, const std::function<void()>& effect);

}  // namespace liftlock
