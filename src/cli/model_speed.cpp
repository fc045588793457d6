#include "cli/model_speed.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "base/loose_json.hpp"

namespace liftlock {
namespace {

constexpr std::uint64_t k_entries = 20'000;
constexpr std::size_t k_answers = 100;
constexpr double k_fewest_tokens = 16;

double number_in(const Json& object, std::string_view key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<double>() : 0;
}

/// Tokens a second; nullopt where the entry tells of none.
std::optional<double> speed_of(const Json& detail) {
  const auto outcome = detail.find("outcome");
  if (outcome == detail.end() || text_in(*outcome, "outcome") != "success") return std::nullopt;
  const auto tokens = number_in(*outcome, "completion_tokens");
  const auto took = number_in(*outcome, "total_ms") - number_in(*outcome, "wait_ms");
  if (tokens < k_fewest_tokens || took <= 0) return std::nullopt;
  return tokens * 1000 / took;
}

}  // namespace

std::map<std::string, ModelSpeed> measured_speeds(const AuditLog& log) {
  std::map<std::string, std::vector<double>> seen;
  const auto size = log.size();
  log.for_each_of("prompt.record", size - std::min(size, k_entries), size, [&](const AuditEntry& entry) {
    const auto detail = parse_json(entry.event.detail);
    const auto digest = text_in(detail, "model_digest");
    const auto speed = speed_of(detail);
    if (speed && !digest.empty()) seen[digest].push_back(*speed);
    return true;
  });
  std::map<std::string, ModelSpeed> speeds;
  for (auto& [digest, all] : seen) {
    if (all.size() > k_answers) all.erase(all.begin(), all.end() - static_cast<std::ptrdiff_t>(k_answers));
    const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
    std::nth_element(all.begin(), middle, all.end());
    speeds[digest] = {.tokens_per_second = *middle, .answers = all.size()};
  }
  return speeds;
}

}  // namespace liftlock
