#include "gateway/gateway_status.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/clock.hpp"

namespace liftlock {

Json status_document(const std::vector<engine::Running>& running, const std::vector<engine::LoadCounts>& loads,
                     const std::map<std::string, ModelCounts>& counts) {
  auto models = Json::array();
  for (const auto& one : running) {
    const auto of_it =
        std::find_if(loads.begin(), loads.end(), [&](const auto& counted) { return counted.model == one.model; });
    models.push_back({{"model", one.model},
                      {"digest", one.digest},
                      {"engine", one.engine},
                      {"assurance", one.assurance},
                      {"state", one.state},
                      {"memory", one.memory},
                      {"resident", one.resident},
                      {"slots", one.slots},
                      {"active", one.active},
                      {"queued", one.queued},
                      {"restarts", of_it == loads.end() ? 0 : of_it->restarts},
                      {"since", format_time(one.since)},
                      {"expires", format_time(one.expires)}});
  }
  auto answered = Json::object();
  for (const auto& [model, one] : counts) {
    answered[model] = {{"requests", one.requests},           {"failures", one.failures},
                       {"prompt_tokens", one.prompt_tokens}, {"completion_tokens", one.completion_tokens},
                       {"first_tokens", one.first_tokens},   {"first_seconds", one.first_seconds}};
  }
  return {{"models", std::move(models)}, {"counts", std::move(answered)}};
}

}  // namespace liftlock
