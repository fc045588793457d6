#include "engine/used_up.hpp"

#include <fmt/format.h>

namespace liftlock::engine {
namespace {

/// What starts processes as long as it may has some that end, and others that are not seen yet.
constexpr unsigned k_nearly = 8;

}  // namespace

std::optional<std::string> used_up(const Sandbox& sandbox, const ProcessUse& use) {
  const auto most = sandbox.spec().max_processes;
  if (use.threads + k_nearly >= most)
    return fmt::format("it has {} processes and threads, and may have {}", use.threads, most);
  const auto full = sandbox.full_folders();
  if (!full.empty()) return fmt::format("it filled its {}", fmt::join(full, " and "));
  return std::nullopt;
}

}  // namespace liftlock::engine
