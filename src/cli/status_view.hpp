// What a running server tells of its models (docs/formats/local-door.md), for people.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/json.hpp"
#include "cli/command.hpp"

namespace liftlock {

/// Asks the server of this installation. @throws what read_status() throws; Error{schema_violation, too_new} for
/// another version's answer
Json server_status(Invocation& invocation, std::string_view command);

/// The table of `ps`.
std::string running_table(const Json& status, Timestamp at);

/// What happened between two looks at a server, by model; those that nobody asked and that do not run are left out.
struct Pace {
  std::string model, state;
  std::uint64_t active = 0, slots = 0, queued = 0, resident = 0;
  double requests = 0, failures = 0, tokens = 0;  ///< each second; tokens of answers, counted when these end
  std::optional<double> first_ms;                 ///< mean of the answers that ended
};
/// @param before another process's, or none (null): then what happened since the start of the server does not count
std::vector<Pace> paces(const Json& before, const Json& after, std::chrono::duration<double> between);
Json pace_json(const Pace& pace);
std::string pace_table(const std::vector<Pace>& paces);

}  // namespace liftlock
