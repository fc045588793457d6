#include "server/readiness.hpp"

#include <nlohmann/json.hpp>

#include "base/json.hpp"

namespace liftlock {
namespace {

/// A look that takes longer hangs on a disk or a network file system.
constexpr std::chrono::seconds k_stale_after{60};

Json state_of(const std::optional<std::string>& why) {
  Json state = {{"ok", !why.has_value()}};
  if (why) state["why"] = *why;
  return state;
}

}  // namespace

Readiness::Readiness(std::vector<ReadinessCheck> checks) : m_checks(std::move(checks)) {}

void Readiness::look() {
  std::vector<Found> found;
  for (const auto& check : m_checks) {
    Found one{check.name, "the check failed"};
    try {
      one.why = check.why_not();
    } catch (const std::exception&) {
      // Its words may name paths.
    }
    found.push_back(std::move(one));
  }
  const std::lock_guard lock(m_mutex);
  m_found = std::move(found);
  m_looked = std::chrono::steady_clock::now();
}

HttpResponse Readiness::answer() const {
  auto checks = Json::object();
  bool ready = true;
  const auto add = [&](const std::string& name, const std::optional<std::string>& why) {
    checks[name] = state_of(why);
    ready = ready && !why;
  };
  {
    const std::lock_guard lock(m_mutex);
    for (const auto& one : m_found) add(one.name, one.why);
    if (std::chrono::steady_clock::now() - m_looked > k_stale_after) add("checks", "they have not run for a minute");
  }
  add("running", m_draining ? std::optional<std::string>("the server is about to stop") : std::nullopt);
  const Json body = {{"ready", ready}, {"checks", std::move(checks)}};
  auto response = text_response(ready ? 200 : 503, "application/json", dump_json(body));
  response.set("Cache-Control", "no-store");
  if (!ready) response.set("Retry-After", "5");
  return response;
}

}  // namespace liftlock
