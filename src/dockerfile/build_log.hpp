// What `docker build --progress=plain` says of its steps: which came from the cache, and what the others took.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace liftlock::dockerfile {

struct BuildStep {
  std::string name;  ///< "[2/5] RUN pip install …"
  enum class Fate : std::uint8_t { cached, done, failed, unknown } fate = Fate::unknown;
  double seconds = 0;  ///< of Fate::done
};

/// Steps of the Dockerfile, `[…]`, in the order of their numbers; BuildKit's own (`[internal]`, `exporting`) are left
/// out. Lines that are none of BuildKit's are skipped. Bounded: steps after the 10,000th are not kept.
std::vector<BuildStep> parse_build_log(std::string_view text);

}  // namespace liftlock::dockerfile
