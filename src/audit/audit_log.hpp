// The append-only log of everything that matters: a Merkle tree (RFC 6962 hashing) in C2SP tlog-tiles layout with signed
// checkpoints (C2SP tlog-checkpoint, signed-note; Ed25519). Format: docs/formats/audit.md.
// Safe with several processes: appends take a lock file.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/digest.hpp"
#include "base/json.hpp"
#include "os/file.hpp"

namespace liftlock {

enum class Outcome : std::uint8_t { intent, success, failure };

struct AuditEvent {
  std::string type;     ///< "bundle.ingest", "bundle.pack", "trust.pin", "mirror.read", …
  std::string actor;    ///< see current_actor()
  Outcome outcome = Outcome::success;
  std::string subject;  ///< the thing it happened to: an artifact id, a bundle's channel/sequence, a key id
  std::string detail;   ///< JSON object as text, canonical (dump_json_line); at most 60,000 bytes
};

struct AuditEntry {
  std::uint64_t index = 0;
  Timestamp time;
  AuditEvent event;
};

/// "user(uid)", and behind sudo "user(uid) as root(0)".
std::string current_actor();

class AuditLog {
 public:
  /// Opens; creates the log with a fresh key (folder/key, mode 0600) when there is none.
  /// @param origin the checkpoint's origin line of a new log, e.g. "liftlock/HOST/random"
  /// @throws Error{audit_broken, audit_unwritable}
  AuditLog(fs::path folder, std::string_view origin);
  ~AuditLog();

  /// Durable (fsync) when it returns, with a new signed checkpoint. Returns the entry's index.
  /// @throws Error{audit_unwritable}: the caller must not go on with the effect it announces
  std::uint64_t append(const AuditEvent& event);
  /// Several in one commit.
  std::uint64_t append(const std::vector<AuditEvent>& events);

  std::uint64_t size() const;
  std::string checkpoint() const;  ///< the signed note, exact bytes
  std::string verifier_key() const;  ///< "name+hash+base64": the note verifier key of the log
  AuditEntry read(std::uint64_t index) const;
  /// From oldest to newest within [begin, end); stops when visit returns false.
  void for_each(std::uint64_t begin, std::uint64_t end, const std::function<bool(const AuditEntry&)>& visit) const;

  /// Recomputes every hash from the entries up and compares with tiles and checkpoint. @throws Error{audit_broken}
  void verify() const;
  /// C2SP tlog-proof text for one entry against the current checkpoint.
  std::string prove(std::uint64_t index) const;
  /// Copies the log (tiles, entries, checkpoint, public key, check script, README) to an empty folder.
  void export_to(const fs::path& folder) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

}  // namespace liftlock
