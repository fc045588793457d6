// What was packed, and what was said of it since, as the audit log has it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "audit/audit_log.hpp"
#include "base/clock.hpp"
#include "base/digest.hpp"
#include "bundle/manifest.hpp"
#include "store/catalog.hpp"

namespace liftlock {

inline constexpr std::string_view k_pack_event = "bundle.pack";
inline constexpr std::string_view k_acknowledge_event = "bundle.acknowledge";
inline constexpr std::string_view k_abandon_event = "bundle.abandon";

struct PackedBundle {
  Digest digest;  ///< of bundle.json
  Timestamp packed{};
  bool acknowledged = false;
  std::optional<std::string> abandoned;  ///< why it was given up; one that arrived is acknowledged all the same
  std::optional<Digest> lock;            ///< that it was packed from
  bool is_under_way() const { return !acknowledged && !abandoned; }
  bool is_given_up() const { return !acknowledged && abandoned; }
};

/// By channel, then by sequence. Reads the whole log.
std::map<std::string, std::map<std::uint64_t, PackedBundle>> packed_bundles(const AuditLog& log);

/// One of them. Reads the whole log. @throws Error{not_found}
PackedBundle packed_bundle(const AuditLog& log, std::string_view channel, std::uint64_t sequence);

/// The last of a channel, as the catalog and the log have it. An old copy of either lacks some; a sequence that was
/// used once means one bundle for ever, so the greater counts.
struct LastPacked {
  std::optional<PreviousBundle> in_catalog, in_log;
  std::uint64_t begun = 0;  ///< the highest sequence that the log has an intent of
  std::optional<PreviousBundle> newest() const;
  /// Empty: the two agree.
  std::string trouble() const;
};
LastPacked last_packed(const Catalog& catalog, const AuditLog& log, const std::string& channel);
void set_last_packed(Catalog& catalog, const std::string& channel, const PreviousBundle& bundle);

/// "demo/7", the subject of these events.
std::string packed_subject(std::string_view channel, std::uint64_t sequence);

}  // namespace liftlock
