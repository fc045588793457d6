#include "engine/running.hpp"

#include <fmt/format.h>

#include "base/encoding.hpp"

namespace liftlock::engine {

using Clock = std::chrono::steady_clock;

std::vector<LoadCounts> by_model(const std::vector<LoadCounts>& counts) {
  std::map<std::string, LoadCounts> sums;
  for (const auto& one : counts) {
    auto& sum = sums[one.model];
    sum.loads += one.loads;
    sum.restarts += one.restarts;
    sum.suspicious += one.suspicious;
    sum.checks += one.checks;
    sum.checking += one.checking;
    sum.starting += one.starting;
  }
  std::vector<LoadCounts> out;
  for (auto& [name, sum] : sums) {
    sum.model = name;
    out.push_back(std::move(sum));
  }
  return out;
}

Timestamp wall_time(Clock::time_point when) {
  return std::chrono::floor<std::chrono::seconds>(
      std::chrono::system_clock::now() +
      std::chrono::duration_cast<std::chrono::system_clock::duration>(when - Clock::now()));
}

std::optional<Error> why_it_rests(std::string_view model, const CircuitBreaker& breaker) {
  const auto when = Clock::now();
  const auto until = breaker.open_until(when);
  if (!until) return std::nullopt;
  const auto& terms = breaker.terms();
  return Error(ErrorCode::engine_unavailable,
               fmt::format("the engine of '{}' failed {} times within {} s; it is tried again at {}", printable(model),
                           terms.failures, terms.window.count(), format_time(wall_time(*until))),
               std::string(k_where_its_words_are))
      .set_retry_after(*until - when);
}

std::optional<Error> why_it_rests_for(const std::string& caller, std::string_view model,
                                      const std::map<std::string, CircuitBreaker>& callers) {
  const auto found = callers.find(caller);
  const auto when = Clock::now();
  const auto until = found == callers.end() ? std::nullopt : found->second.open_until(when);
  if (!until) return std::nullopt;
  return Error(ErrorCode::engine_unavailable,
               fmt::format("the engine of '{}' ended {} times at requests of this key; it may ask again at {}",
                           printable(model), found->second.terms().failures, format_time(wall_time(*until))),
               "find out which request ends the engine, and do not send it again")
      .set_retry_after(*until - when);
}

}  // namespace liftlock::engine
