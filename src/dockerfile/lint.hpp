// What goes wrong in Dockerfiles that are to build without a network, or quickly. Each rule has an id that stays, and
// an explanation; docs/formats/dockerfile.md lists them, and a test compares.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dockerfile/dockerfile.hpp"

namespace liftlock::dockerfile {

enum class Level : std::uint8_t {
  error,    ///< does not do what it looks like, or cannot work without a network
  warning,  ///< works, but loses a cache or a check
  note,     ///< worth knowing
};
std::string_view name_of(Level level);

struct Rule {
  std::string_view id;
  Level level;
  std::string_view what;    ///< in one line
  std::string_view remedy;  ///< what to write instead
};
std::span<const Rule> all_rules();

struct Finding {
  const Rule* rule = nullptr;
  std::size_t line = 0;
  std::string message;
};

/// Is this path there, in the build context? Empty: nothing is known of it.
using IsThere = std::function<bool(const std::string& path)>;

/// In the order of lines.
std::vector<Finding> lint(const Dockerfile& file, const IsThere& is_there);

/// The list of rules in docs/formats/dockerfile.md.
std::string rules_markdown();

}  // namespace liftlock::dockerfile
