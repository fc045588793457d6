#include "cli/key_view.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

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

std::string models_text(const ApiKey& key) {
  if (!may(key.role, Right::ask)) return "-";
  return key.models.empty() ? "all" : printable(fmt::format("{}", fmt::join(key.models, ", ")));
}

}  // namespace

fs::path access_file(const Site& site) {
  return site.folder() / "access.db";
}

std::string key_table(const std::vector<ApiKey>& keys, const std::vector<UnreadableKey>& unreadable) {
  std::vector<std::vector<std::string>> rows{
      {"ID", "USER", "ROLE", "MODELS", "LIMITS", "EXPIRES", "STATE", "LABEL", "RECORD", "NOTE"}};
  for (const auto& key : keys) {
    rows.push_back({key.id, printable(key.user), std::string(name(key.role)), models_text(key), limits_text(key.limits),
                    key.expires ? format_end(*key.expires) : "never", key_state(key),
                    key.label.empty() ? "-" : printable(key.label), key.record.empty() ? "-" : printable(key.record),
                    printable(key.note)});
  }
  for (const auto& key : unreadable)
    rows.push_back({printable(key.id), "-", "-", "-", "-", "-", key_state(key), "-", "-", ""});
  return format_table(rows);
}

}  // namespace liftlock
