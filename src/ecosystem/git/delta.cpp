#include "ecosystem/git/delta.hpp"

#include "base/encoding.hpp"
#include "base/error.hpp"

namespace liftlock::git {
namespace {

/// A delta's own numbers: seven bits a byte, the low ones first.
std::uint64_t take_size(std::span<const std::uint8_t>& delta) {
  std::uint64_t out = 0;
  for (unsigned shift = 0;; shift += 7) {
    if (delta.empty() || shift > 56) fail(ErrorCode::package_malformed, "a delta's size is malformed");
    const auto byte = delta[0];
    delta = delta.subspan(1);
    out |= std::uint64_t{byte & 0x7fu} << shift;
    if ((byte & 0x80) == 0) return out;
  }
}

std::uint64_t take_number(std::span<const std::uint8_t>& delta, unsigned present, unsigned bytes) {
  std::uint64_t out = 0;
  for (unsigned i = 0; i < bytes; ++i) {
    if ((present & (1u << i)) == 0) continue;
    if (delta.empty()) fail(ErrorCode::package_malformed, "a delta ends within a copy");
    out |= std::uint64_t{delta[0]} << (8 * i);
    delta = delta.subspan(1);
  }
  return out;
}

}  // namespace

std::string apply_delta(std::string_view base, std::span<const std::uint8_t> delta, std::uint64_t most) {
  if (take_size(delta) != base.size()) fail(ErrorCode::package_malformed, "a delta is for a base of another size");
  const auto size = take_size(delta);
  if (size > most) fail(ErrorCode::limit_exceeded, "a delta makes more than {} bytes", most);
  std::string out;
  out.reserve(size);
  while (!delta.empty()) {
    const unsigned order = delta[0];
    delta = delta.subspan(1);
    if (order == 0) fail(ErrorCode::package_malformed, "a delta has the order 0, which is reserved");
    std::uint64_t from = 0, length = order;
    if ((order & 0x80) != 0) {
      from = take_number(delta, order, 4);
      length = take_number(delta, order >> 4 & 7u, 3);
      if (length == 0) length = 0x10000;
      if (from > base.size() || length > base.size() - from)
        fail(ErrorCode::package_malformed, "a delta copies what its base does not have");
    } else if (length > delta.size()) {
      fail(ErrorCode::package_malformed, "a delta ends within its bytes");
    }
    if (length > size - out.size()) fail(ErrorCode::package_malformed, "a delta makes more than it says");
    if ((order & 0x80) != 0) {
      out.append(base.substr(from, length));
    } else {
      out.append(as_text(delta.first(length)));
      delta = delta.subspan(length);
    }
  }
  if (out.size() != size) fail(ErrorCode::package_malformed, "a delta makes less than it says");
  return out;
}

}  // namespace liftlock::git
