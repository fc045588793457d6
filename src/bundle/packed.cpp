#include "bundle/packed.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace liftlock {

std::string packed_subject(std::string_view channel, std::uint64_t sequence) {
  return fmt::format("{}/{}", channel, sequence);
}

std::map<std::string, std::map<std::uint64_t, PackedBundle>> packed_bundles(const AuditLog& log) {
  std::map<std::string, std::map<std::uint64_t, PackedBundle>> out;
  log.for_each(0, log.size(), [&](const AuditEntry& entry) {
    const auto& event = entry.event;
    if (event.outcome != Outcome::success || (event.type != k_pack_event && event.type != k_acknowledge_event)) {
      return true;
    }
    const auto slash = event.subject.rfind('/');
    const auto sequence = parse_uint(std::string_view(event.subject).substr(slash + 1));
    if (slash == std::string::npos || !sequence) return true;
    const auto digest = Digest::parse(string_member(parse_json(event.detail), "bundle", "audit entry"));
    auto& bundles = out[event.subject.substr(0, slash)];
    const auto found = bundles.find(*sequence);
    // Packed again with nothing changed it is the same bundle, acknowledged or not.
    const bool same = found != bundles.end() && found->second.digest == digest;
    if (event.type == k_acknowledge_event && same) found->second.acknowledged = true;
    if (event.type == k_pack_event && !same) bundles.insert_or_assign(*sequence, PackedBundle{digest, entry.time});
    return true;
  });
  return out;
}

}  // namespace liftlock
