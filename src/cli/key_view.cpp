#include "cli/key_view.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "cli/command.hpp"

namespace liftlock {
namespace {

std::string limits_text(const KeyLimits& limits) {
  std::vector<std::string> parts;
  if (limits.requests_per_minute > 0) parts.push_back(fmt::format("{}/min", limits.requests_per_minute));
  if (limits.tokens_per_minute > 0) parts.push_back(fmt::format("{} tokens/min", limits.tokens_per_minute));
  if (limits.tokens_per_day > 0) parts.push_back(fmt::format("{} tokens/day", limits.tokens_per_day));
  return parts.empty() ? "none" : fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace

fs::path access_file(const Site& site) {
  return site.folder() / "access.db";
}

std::string key_state(const ApiKey& key) {
  if (key.revoked) return "revoked";
  return key.expires && now() >= *key.expires ? "expired" : "valid";
}

Json key_json(const ApiKey& key) {
  Json json = {{"id", key.id},
               {"user", key.user},
               {"role", name(key.role)},
               {"models", key.models},
               {"requests_per_minute", key.limits.requests_per_minute},
               {"tokens_per_minute", key.limits.tokens_per_minute},
               {"tokens_per_day", key.limits.tokens_per_day},
               {"label", key.label},
               {"record", key.record},
               {"note", key.note},
               {"created", format_time(key.created)}};
  if (key.expires) json["expires"] = format_time(*key.expires);
  if (key.revoked) json["revoked"] = {{"since", format_time(*key.revoked)}, {"reason", key.revoked_reason}};
  return json;
}

std::string key_table(const std::vector<ApiKey>& keys) {
  std::vector<std::vector<std::string>> rows{
      {"ID", "USER", "ROLE", "MODELS", "LIMITS", "EXPIRES", "STATE", "LABEL", "RECORD", "NOTE"}};
  for (const auto& key : keys) {
    rows.push_back({key.id, printable(key.user), std::string(name(key.role)),
                    key.models.empty() ? "all" : printable(fmt::format("{}", fmt::join(key.models, ", "))),
                    limits_text(key.limits), key.expires ? format_time(*key.expires) : "never", key_state(key),
                    key.label.empty() ? "-" : printable(key.label), key.record.empty() ? "-" : printable(key.record),
                    printable(key.note)});
  }
  return format_table(rows);
}

}  // namespace liftlock
