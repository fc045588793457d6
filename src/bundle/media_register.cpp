#include "bundle/media_register.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "base/json.hpp"

namespace liftlock {

std::string unregistered_medium(const AuditLog& log, const std::string& serial) {
  bool is_kept = false;
  std::set<std::string> names{serial};
  std::optional<AuditEntry> last;
  log.for_each_of("media.", 0, log.size(), [&](const AuditEntry& entry) {
    const auto& event = entry.event;
    const bool came = event.type == k_media_in_event;
    if (event.outcome != Outcome::success || (!came && event.type != k_media_out_event)) return true;
    is_kept = is_kept || came;
    if (!names.contains(event.subject) && parse_json(event.detail).value("device_serial", "") != serial) return true;
    names.insert(event.subject);
    last = entry;
    return true;
  });
  if (!is_kept || (last && last->event.type == k_media_in_event)) return {};
  return fmt::format(
      "the medium {} {}: `liftlock media in` registers what comes in", printable(serial),
      last ? "left " + format_time(last->time) + ", says the register of media" : "is not in the register of media");
}

}  // namespace liftlock
