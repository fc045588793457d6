// The trace that a client says its request belongs to: https://www.w3.org/TR/trace-context/#traceparent-header
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace liftlock {

struct TraceParent {
  std::array<std::uint8_t, 16> trace{};
  std::array<std::uint8_t, 8> span{};
  bool sampled = false;
};

/// nullopt for anything that the specification calls invalid: then the request begins a trace of its own.
std::optional<TraceParent> parse_traceparent(std::string_view text);

}  // namespace liftlock
