#include "audit/journal.hpp"

#include <algorithm>
#include <optional>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_magic = "liftlock.audit-journal/1\n";
constexpr std::size_t k_frame = 4 + 32;

void put_uint(std::string& out, std::uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xFF);
}

std::string frame(std::string_view payload) {
  std::string out;
  put_uint(out, payload.size(), 4);
  out += as_text(sha256(payload).bytes());
  out += payload;
  return out;
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : m_bytes(bytes) {}
  std::string_view take(std::size_t count) {
    if (m_bytes.size() < count) fail(ErrorCode::audit_broken, "a record of the audit journal is too short");
    const auto out = m_bytes.substr(0, count);
    m_bytes.remove_prefix(count);
    return out;
  }
  std::uint64_t uint(int bytes) {
    std::uint64_t value = 0;
    for (const char c : take(static_cast<std::size_t>(bytes))) value = value << 8 | static_cast<std::uint8_t>(c);
    return value;
  }
  std::string_view rest() { return take(m_bytes.size()); }

 private:
  std::string_view m_bytes;
};

/// The payload of the whole record at the start of bytes; nullopt when it is torn.
std::optional<std::string_view> payload_at(std::string_view bytes) {
  if (bytes.size() < k_frame) return std::nullopt;
  const auto size = Reader(bytes).uint(4);
  if (bytes.size() - k_frame < size) return std::nullopt;
  const auto payload = bytes.substr(k_frame, size);
  if (as_text(sha256(payload).bytes()) != bytes.substr(4, 32)) return std::nullopt;
  return payload;
}

TreeEdge parse_header(std::string_view payload) {
  Reader in(payload);
  if (in.take(k_magic.size()) != k_magic) fail(ErrorCode::audit_broken, "the audit journal has an unknown form");
  const auto base = in.uint(8);
  if (base % k_tile_width != 0) fail(ErrorCode::audit_broken, "the audit journal begins within a bundle");
  std::vector<std::vector<TreeHash>> levels(in.uint(1));
  for (auto& level : levels) {
    const auto count = in.uint(1);
    if (count > 0) level = parse_tile(in.take(32 * count));
  }
  if (!in.rest().empty()) fail(ErrorCode::audit_broken, "the header of the audit journal is too long");
  return TreeEdge::restore(base, std::move(levels));
}

void apply_record(JournalState& state, std::string_view payload) {
  Reader in(payload);
  if (in.uint(8) != state.size()) fail(ErrorCode::audit_broken, "a record of the audit journal is out of order");
  const auto count = in.uint(4);
  for (std::uint64_t i = 0; i < count; ++i) state.add(std::string(in.take(in.uint(2))));
  state.checkpoint = in.rest();
}

}  // namespace

void JournalState::add(std::string entry) {
  auto tiles = edge.append(leaf_hash(entry));
  std::move(tiles.begin(), tiles.end(), std::back_inserter(filled));
  tail.push_back(std::move(entry));
}

JournalState parse_journal(std::string_view bytes) {
  JournalState state;
  bool has_header = false;
  while (const auto payload = payload_at(bytes.substr(state.whole_bytes))) {
    if (has_header) {
      apply_record(state, *payload);
    } else {
      state.edge = parse_header(*payload);
      state.base = state.edge.size();
      has_header = true;
    }
    state.whole_bytes += k_frame + payload->size();
  }
  if (state.checkpoint.empty()) fail(ErrorCode::audit_broken, "the audit journal is damaged");
  const auto last = bytes.substr(state.whole_bytes).find_last_not_of('\0');
  state.torn_bytes = last == std::string_view::npos ? 0 : last + 1;
  return state;
}

std::string journal_header(const TreeEdge& edge) {
  std::string payload(k_magic);
  put_uint(payload, edge.size(), 8);
  put_uint(payload, edge.levels().size(), 1);
  for (const auto& level : edge.levels()) {
    put_uint(payload, level.size(), 1);
    for (const auto& hash : level) payload += as_text(hash);
  }
  return frame(payload);
}

std::string journal_record(std::uint64_t first, const std::vector<std::string>& entries, std::string_view checkpoint) {
  std::string payload;
  put_uint(payload, first, 8);
  put_uint(payload, entries.size(), 4);
  for (const auto& entry : entries) payload += frame_entry(entry);
  payload += checkpoint;
  return frame(payload);
}

}  // namespace liftlock
