// What is told of engines, those of texts and those of speech: which run, what was done since the server began, and why
// one is left alone.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/circuit_breaker.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"

namespace liftlock::engine {

/// Of an engine that ended, for the hints of errors.
inline constexpr std::string_view k_where_its_words_are =
    "the engine's own words are in STATE/logs/MODEL.log, or in MODEL.log.1 once it was started again";

struct Running {
  std::string model;           ///< name in the catalog
  std::string digest;          ///< of its main file
  std::string engine;          ///< NAME/VERSION-VARIANT; empty before one was chosen
  std::string assurance;       ///< who could change its bytes: name(Assurance); empty before they were checked
  std::string state;           ///< "loading", "ready", "failed" (left alone until `expires`)
  std::uint64_t memory = 0;    ///< what it was given
  std::uint64_t resident = 0;  ///< what its engine held when it was looked at last
  unsigned slots = 0;          ///< requests that it answers at a time
  unsigned active = 0;         ///< slots that are taken, those too whose request was given up
  std::size_t queued = 0;
  Timestamp since{};
  Timestamp expires{};  ///< when it is unloaded if nobody asks; failed: when it is tried again
};

/// What was done for a model since the host began, also when it is not loaded now.
struct LoadCounts {
  std::string model;                    ///< name in the catalog; all its versions together
  std::uint64_t loads = 0;              ///< engines that became ready; of speech, that were started
  std::uint64_t restarts = 0;           ///< engines that were started after the one before had failed
  std::uint64_t suspicious = 0;         ///< engines that were ended for what no engine of their kind does
  std::uint64_t checks = 0;             ///< passages of the load gate
  std::chrono::nanoseconds checking{};  ///< of all of them: reading and hashing the bytes
  std::chrono::nanoseconds starting{};  ///< of all loads: from checked bytes to a ready engine; of speech, its start
};

/// One for each name, sorted: what has the same name is added up.
std::vector<LoadCounts> by_model(const std::vector<LoadCounts>& counts);

/// The wall clock's reading at that moment, as people are told it.
Timestamp wall_time(std::chrono::steady_clock::time_point when);

/// Error{engine_unavailable} while an engine that failed again and again is left alone.
std::optional<Error> why_it_rests(std::string_view model, const CircuitBreaker& breaker);
/// The same for one caller, at whose requests alone it ended; others may go on asking it.
std::optional<Error> why_it_rests_for(const std::string& caller, std::string_view model,
                                      const std::map<std::string, CircuitBreaker>& callers);

}  // namespace liftlock::engine
