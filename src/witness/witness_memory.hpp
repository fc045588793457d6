// What a witness remembers: its key, and of each log that it knows the newest checkpoint that it cosigned.
// docs/formats/witness.md, "What the witness keeps". One object per process; processes exclude each other by a lock.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/audit_log.hpp"
#include "os/file.hpp"
#include "witness/cosignature.hpp"
#include "witness/request.hpp"

namespace liftlock {

/// A log as its witness remembers it.
struct WitnessedLog {
  NoteKey key;
  std::string note;  ///< the newest checkpoint with the log's signature and the cosignature
  Checkpoint checkpoint;
  Timestamp time;  ///< of the cosignature
};

/// SHA-256 of a verifier key's text: what two people compare. In groups of four with spoken().
Digest fingerprint(const NoteKey& key);

class WitnessMemory {
 public:
  /// Opens; makes the key, with mode 0600, when there is none.
  /// @param name of a new key, as in why_not_note_name(); empty: "liftlock-witness/HOST/RANDOM"
  /// @throws Error{usage} when `name` is not that of the key that is there, or cannot be one
  WitnessMemory(fs::path folder, std::string_view name);

  const CosignerKey& key() const { return m_key; }
  /// Sorted by origin. @throws Error{schema_violation, signature_invalid} for a file that this witness did not write
  std::vector<WitnessedLog> logs() const;
  /// Its key and what logs() returns, without writing anything or needing the private key; nullopt: no witness is here.
  struct View;
  static std::optional<View> look(const fs::path& folder);
  std::optional<WitnessedLog> find(std::string_view origin) const;

  struct NewLog {
    std::string reason;
  };
  /// Judges, remembers durably, and returns the answer: the checkpoint with two signatures. The intent is in `log`
  /// before anything is remembered, and a refusal is there with its code.
  /// @param accept_new where an unknown log may be pinned, and why
  /// @throws Error{log_unknown, log_rolled_back, log_forked}, the latter two with both statements kept;
  ///         Error{usage} when the proof begins elsewhere than at what is remembered
  std::string cosign(const WitnessRequest& request, const std::optional<NewLog>& accept_new, AuditLog& log,
                     std::string_view actor);

 private:
  fs::path file_of(std::string_view origin) const;
  void judge(const WitnessRequest& request, const std::optional<WitnessedLog>& known, bool may_be_new) const;
  void keep_evidence(const WitnessRequest& request, const WitnessedLog& known) const;

  fs::path m_folder;
  std::optional<PrivateKey> m_secret;
  CosignerKey m_key;
};

struct WitnessMemory::View {
  CosignerKey key;
  std::vector<WitnessedLog> logs;
};

}  // namespace liftlock
