// The node's side: the witnesses that config.toml names, what they stated of this log, and whether they have to be met
// before an ingest. docs/formats/witness.md, "What the node keeps", and docs/decisions/meeting-the-witness.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/audit_log.hpp"
#include "site/site.hpp"
#include "witness/cosignature.hpp"

namespace liftlock {

enum class WitnessState : std::uint8_t { ok, never_met, old, clock, to_meet, rolled_back, forked, broken };
/// "ok", "never-met", "old", "clock", "to-meet", "rolled-back", "forked", "broken"
std::string_view name(WitnessState state);
/// The log is not what the witness saw: bytes are wrong, not only late.
bool is_broken(WitnessState state);

/// A witness, as `status` shows it.
struct WitnessStanding {
  CosignerKey key;
  WitnessState state = WitnessState::never_met;
  std::uint64_t size = 0;         ///< of the log when it was cosigned; 0 when never
  std::optional<Timestamp> time;  ///< of the cosignature
};

class Meetings {
 public:
  /// @throws Error{config_invalid} for [audit] witness that is no verifier key of a cosigner, or stands twice
  explicit Meetings(const Site& site);

  const std::vector<CosignerKey>& witnesses() const { return m_witnesses; }
  /// The one of that name; the only one for an empty name. @throws Error{config_invalid} when there are none,
  /// Error{ambiguous, not_found}
  const CosignerKey& witness(std::string_view name) const;

  /// Of each witness, in the order of config.toml. Writes nothing.
  std::vector<WitnessStanding> standings(const AuditLog& log, Timestamp when) const;
  /// Before an ingest, a sync or an import: each witness was met by this copy of the state since the machine was
  /// booted, and the log continues what it stated. Nothing where config.toml names no witness.
  /// @throws Error{witness_required, log_rolled_back, log_forked, audit_broken}
  void require_met(const AuditLog& log) const;

  struct Asked {
    std::string text;  ///< what to carry
    std::uint64_t size = 0, since = 0;
  };
  /// The newest checkpoint, after an entry that makes it unlike any before.
  /// @param since the size that the witness saw last; nullopt: as far as is known here
  /// @throws Error{not_found} when the log never had that size; Error{log_rolled_back} when what is known is larger
  Asked request(AuditLog& log, const CosignerKey& witness, std::optional<std::uint64_t> since,
                std::string_view actor) const;
  /// Takes an answer to the newest request of each witness whose signature it bears. Returns these witnesses.
  /// @throws Error{key_unknown} when it bears none of theirs, Error{signature_invalid}, Error{witness_required} when it
  ///         answers another request than the newest, or that one was made before a restore or a boot
  std::vector<WitnessStanding> accept(AuditLog& log, std::string_view answer, std::string_view actor) const;

 private:
  struct Statement {
    Checkpoint checkpoint;
    Timestamp time;
  };
  fs::path file(const CosignerKey& witness, std::string_view kind) const;
  /// nullopt when there is none. @throws Error{audit_broken} when log and witness did not sign it
  std::optional<Statement> statement(const AuditLog& log, const CosignerKey& witness) const;
  static WitnessState compare(const AuditLog& log, const Checkpoint& seen);
  std::uint64_t last_seen(const AuditLog& log, const CosignerKey& witness) const;

  fs::path m_folder;
  std::vector<CosignerKey> m_witnesses;
  std::chrono::seconds m_max_age;
  bool m_takes_in;  ///< ingest, store sync or import ask require_met()
};

}  // namespace liftlock
