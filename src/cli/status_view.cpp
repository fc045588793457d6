#include "cli/status_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "server/local_door.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_where = "the server's status";
/// "sha256:" and what tells two models apart.
constexpr std::size_t k_short_digest = 7 + 12;

std::string time_left(std::chrono::seconds left) {
  if (left.count() <= 0) return "-";
  if (left < std::chrono::minutes(2)) return fmt::format("{} s", left.count());
  if (left < std::chrono::hours(2)) return fmt::format("{} min", left.count() / 60);
  return fmt::format("{} h", left.count() / 3600);
}

double number(const Json& counts, const char* key) {
  const auto found = counts.find(key);
  return found != counts.end() && found->is_number() ? found->get<double>() : 0;
}

const Json& counts_of(const Json& status, const std::string& model) {
  static const Json k_none = Json::object();
  const auto all = status.find("counts");
  if (all == status.end()) return k_none;
  const auto found = all->find(model);
  return found == all->end() ? k_none : *found;
}

}  // namespace

Json server_status(Invocation& invocation, std::string_view command) {
  const auto site = invocation.site();
  site.require_zone(command, {Zone::ingest, Zone::production});
  auto status = parse_json(read_status(site.run_folder()));
  if (string_member(status, "format", k_where) != "liftlock.status/1") {
    fail(ErrorCode::too_new, "the server is of another version than this program");
  }
  array_member(status, "models", k_where);
  object_member(status, "counts", k_where);
  return status;
}

std::string running_table(const Json& status, Timestamp at) {
  std::vector<std::vector<std::string>> rows{
      {"MODEL", "STATE", "ENGINE", "DIGEST", "ASSURANCE", "RESIDENT", "SLOTS", "QUEUE", "IDLE LEFT", "RESTARTS"}};
  for (const auto& model : status.at("models")) {
    const auto text = [&](const char* key) { return printable(string_member(model, key, k_where)); };
    const auto count = [&](const char* key) { return uint_member(model, key, k_where); };
    // A server that was started before an update does not say it.
    const auto assurance = printable(string_member_or(model, "assurance", "", k_where));
    const bool counts_down = count("active") == 0 && count("queued") == 0 && text("state") == "ready";
    rows.push_back({text("model"), text("state"), text("engine"), text("digest").substr(0, k_short_digest),
                    assurance.empty() ? "-" : assurance, format_size(count("resident")),
                    fmt::format("{}/{}", count("active"), count("slots")), std::to_string(count("queued")),
                    counts_down ? time_left(parse_time(text("expires")) - at) : "-",
                    std::to_string(count("restarts"))});
  }
  return rows.size() == 1 ? "no model is loaded\n" : format_table(rows);
}

std::vector<Pace> paces(const Json& before, const Json& after, std::chrono::duration<double> between) {
  std::map<std::string, Pace> by_model;
  for (const auto& model : after.at("models")) {
    const auto name = string_member(model, "model", k_where);
    auto& pace = by_model[name];
    pace.state = string_member(model, "state", k_where);
    pace.active += uint_member(model, "active", k_where);
    pace.slots += uint_member(model, "slots", k_where);
    pace.queued += uint_member(model, "queued", k_where);
    pace.resident += uint_member(model, "resident", k_where);
  }
  // A server that began anew counts from zero.
  const bool same_server = before.is_object() && before.at("pid") == after.at("pid") &&
                           before.at("started") == after.at("started") && between.count() > 0;
  if (same_server) {
    for (const auto& [name, counts] : after.at("counts").items()) {
      const auto& old = counts_of(before, name);
      const auto grown = [&](const char* key) { return std::max(0.0, number(counts, key) - number(old, key)); };
      if (grown("requests") == 0 && !by_model.contains(name)) continue;
      auto& pace = by_model[name];
      pace.requests = grown("requests") / between.count();
      pace.failures = grown("failures") / between.count();
      pace.tokens = grown("completion_tokens") / between.count();
      if (grown("first_tokens") > 0) pace.first_ms = grown("first_seconds") / grown("first_tokens") * 1000;
    }
  }
  std::vector<Pace> out;
  for (auto& [name, pace] : by_model) {
    pace.model = name;
    out.push_back(std::move(pace));
  }
  return out;
}

Json pace_json(const Pace& pace) {
  return {{"model", pace.model},
          {"state", pace.state},
          {"active", pace.active},
          {"slots", pace.slots},
          {"queued", pace.queued},
          {"resident", pace.resident},
          {"requests_per_second", pace.requests},
          {"failures_per_second", pace.failures},
          {"tokens_per_second", pace.tokens},
          {"first_token_ms", pace.first_ms ? Json(*pace.first_ms) : Json()}};
}

std::string pace_table(const std::vector<Pace>& paces) {
  std::vector<std::vector<std::string>> rows{
      {"MODEL", "STATE", "SLOTS", "QUEUE", "RESIDENT", "REQUESTS/S", "FAILED/S", "TOKENS/S", "FIRST TOKEN"}};
  for (const auto& pace : paces) {
    const bool is_here = !pace.state.empty();
    rows.push_back({printable(pace.model), is_here ? printable(pace.state) : "-",
                    is_here ? fmt::format("{}/{}", pace.active, pace.slots) : "-",
                    is_here ? std::to_string(pace.queued) : "-", is_here ? format_size(pace.resident) : "-",
                    fmt::format("{:.1f}", pace.requests), fmt::format("{:.1f}", pace.failures),
                    fmt::format("{:.1f}", pace.tokens),
                    pace.first_ms ? fmt::format("{:.0f} ms", *pace.first_ms) : "-"});
  }
  return rows.size() == 1 ? "no model is loaded, and none was asked\n" : format_table(rows);
}

}  // namespace liftlock
