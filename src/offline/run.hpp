// `liftlock offline`: a command without a network, with the mirror as the only thing it can reach, and what came of it.
// The format of what is written: docs/formats/offline.md.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "net/address.hpp"
#include "offline/attempt.hpp"
#include "offline/cut_off.hpp"
#include "offline/mirror_relay.hpp"

namespace liftlock::offline {

struct RunSpec {
  CutOffSpec command;  ///< its `listen` is filled in here
  std::optional<HttpAddress> mirror;
  std::vector<std::string> allowed_doors;  ///< Unix sockets of programs outside that may be used all the same
};

struct RunResult {
  int status = 0;  ///< of the command; 128 + signal
  double seconds = 0;
  Attempts attempts;
  MirrorCounts mirror;
  std::map<std::string, std::uint64_t> used_doors;
};

/// Runs the command to its end. SIGTERM and SIGHUP end it. One thread; the caller has no other.
/// @throws Error{upstream_unreachable} when the mirror's name is not known here, and what CutOff throws
RunResult run(const RunSpec& spec);

/// The addresses of the mirror, as this machine resolves its name. @throws Error{network}
std::vector<Endpoint> endpoints_of(const HttpAddress& mirror);

}  // namespace liftlock::offline
