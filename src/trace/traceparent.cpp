#include "trace/traceparent.hpp"

#include <algorithm>

#include "base/encoding.hpp"

namespace liftlock {
namespace {

/// "00-" trace "-" span "-" flags
constexpr std::size_t k_size = 3 + 32 + 1 + 16 + 1 + 2;
constexpr std::size_t k_most = 512;

template <std::size_t Size>
bool take_id(std::string_view hex, std::array<std::uint8_t, Size>& id) {
  const auto bytes = decode_hex(hex);
  if (!bytes || std::all_of(bytes->begin(), bytes->end(), [](auto byte) { return byte == 0; })) return false;
  std::copy(bytes->begin(), bytes->end(), id.begin());
  return true;
}

}  // namespace

std::optional<TraceParent> parse_traceparent(std::string_view text) {
  if (text.size() < k_size || text.size() > k_most) return std::nullopt;
  const auto version = decode_hex(text.substr(0, 2));
  if (!version || version->front() == 0xff) return std::nullopt;
  // Later versions may say more behind what this one says.
  if (text.size() > k_size && (version->front() == 0 || text[k_size] != '-')) return std::nullopt;
  if (text[2] != '-' || text[35] != '-' || text[52] != '-') return std::nullopt;
  TraceParent parent;
  const auto flags = decode_hex(text.substr(53, 2));
  if (!flags || !take_id(text.substr(3, 32), parent.trace) || !take_id(text.substr(36, 16), parent.span)) {
    return std::nullopt;
  }
  parent.sampled = (flags->front() & 1) != 0;
  return parent;
}

}  // namespace liftlock
