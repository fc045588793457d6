#include "ecosystem/model/gguf_values.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "crypto/hash.hpp"

namespace liftlock::gguf {
namespace {

constexpr std::size_t k_max_remarks = 32;
constexpr std::size_t k_max_remark = 300;  // bytes

unsigned width(std::uint32_t kind) {
  switch (kind) {
    case k_u8:
    case k_i8:
    case k_bool:
      return 1;
    case k_u16:
    case k_i16:
      return 2;
    case k_u32:
    case k_i32:
    case k_f32:
      return 4;
    case k_u64:
    case k_i64:
    case k_f64:
      return 8;
    default:
      return 0;
  }
}

bool is_unsigned(std::uint32_t kind) {
  return kind == k_u8 || kind == k_u16 || kind == k_u32 || kind == k_u64;
}

bool printable_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c <= 0x7E; });
}

}  // namespace

std::uint64_t checked_product(std::uint64_t a, std::uint64_t b, std::string_view what) {
  std::uint64_t out = 0;
  if (__builtin_mul_overflow(a, b, &out)) malformed("{} overflows", what);
  return out;
}

void Values::read_pair() {
  const auto size = m_in.u64();
  if (size == 0 || size > 65'535) malformed("a key of {} bytes; 1 to 65535 are allowed", size);
  m_key_bytes += size;
  if (m_key_bytes > m_limits.max_key_bytes) malformed("keys of more than {} bytes together", m_limits.max_key_bytes);
  const auto key = m_in.text(size);
  if (!printable_ascii(key)) malformed("the key '{}' is not printable ASCII", printable(key.substr(0, 100)));
  if (m_values.contains(key)) malformed("the key '{}' stands twice", key.substr(0, 100));
  auto found = value(key);
  m_values.emplace(key, std::move(found));
}

Value Values::value(std::string_view key) {
  const auto kind = m_in.u32();
  if (kind >= k_kinds) malformed("'{}' has the value type {}; 0 to 12 are known", key.substr(0, 100), kind);
  if (kind == k_string) return string(key);
  if (kind == k_array) {
    Value out{.kind = kind};
    out.array = array(key);
    return out;
  }
  return scalar(kind, key);
}

Value Values::scalar(std::uint32_t kind, std::string_view key) {
  Value out{.kind = kind};
  switch (width(kind)) {
    case 1:
      out.number = m_in.u8();
      break;
    case 2:
      out.number = m_in.u16();
      break;
    case 4:
      out.number = m_in.u32();
      break;
    default:
      out.number = m_in.u64();
      break;
  }
  if (kind == k_bool && out.number > 1) malformed("'{}' is a bool of value {}", key.substr(0, 100), out.number);
  return out;
}

Value Values::string(std::string_view key) {
  Value out{.kind = k_string};
  out.length = m_in.u64();
  out.offset = m_in.offset();
  if (out.length > m_in.remaining()) malformed("'{}' is a string longer than the file", key.substr(0, 100));
  Utf8Check utf8;
  Hasher hasher;
  for (auto left = out.length; left > 0;) {
    const auto piece = m_in.some(left);
    utf8.feed(piece);
    hasher.update(piece);
    const auto room = m_limits.max_held_string - std::min<std::uint64_t>(m_limits.max_held_string, out.text.size());
    out.text += as_text(piece.first(static_cast<std::size_t>(std::min<std::uint64_t>(room, piece.size()))));
    left -= piece.size();
  }
  if (!utf8.ok()) malformed("'{}' is a string that is not UTF-8", key.substr(0, 100));
  out.digest = hasher.finish();
  return out;
}

ArrayShape Values::array(std::string_view key) {
  ArrayShape shape{m_in.u32(), m_in.u64()};
  if (shape.kind == k_array) malformed("'{}' is an array of arrays", key.substr(0, 100));
  if (shape.kind >= k_kinds) malformed("'{}' is an array of the value type {}", key.substr(0, 100), shape.kind);
  if (shape.kind == k_string) {
    string_array(shape.count, key);
    return shape;
  }
  auto bytes = checked_product(shape.count, width(shape.kind), "the size of an array");
  if (bytes > m_in.remaining()) malformed("'{}' is an array longer than the file", key.substr(0, 100));
  if (shape.kind != k_bool) {
    m_in.skip(bytes);
    return shape;
  }
  while (bytes > 0) {
    const auto piece = m_in.some(bytes);
    if (std::any_of(piece.begin(), piece.end(), [](std::uint8_t byte) { return byte > 1; })) {
      malformed("'{}' has a bool that is neither 0 nor 1", key.substr(0, 100));
    }
    bytes -= piece.size();
  }
  return shape;
}

void Values::string_array(std::uint64_t count, std::string_view key) {
  if (count > m_in.remaining() / 8)
    malformed("'{}' is an array of more strings than the file can hold", key.substr(0, 100));
  std::uint64_t broken = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    auto left = m_in.u64();
    if (left > m_in.remaining()) malformed("'{}' has a string longer than the file", key.substr(0, 100));
    Utf8Check utf8;
    while (left > 0) {
      const auto piece = m_in.some(left);
      utf8.feed(piece);
      left -= piece.size();
    }
    if (!utf8.ok()) ++broken;
  }
  // Some converters write byte tokens raw; engines take them as bytes.
  if (broken > 0) m_notes.push_back(fmt::format("{} strings of '{}' are not UTF-8", broken, printable(key)));
}

const Value* Values::find(const std::string& key, std::uint32_t kind) const {
  const auto at = m_values.find(key);
  if (at == m_values.end()) return nullptr;
  if (at->second.kind != kind) malformed("'{}' has the value type {} instead of {}", key, at->second.kind, kind);
  return &at->second;
}

std::optional<std::uint64_t> Values::unsigned_fact(const std::string& key) const {
  const auto at = m_values.find(key);
  if (at == m_values.end()) return std::nullopt;
  if (!is_unsigned(at->second.kind)) malformed("'{}' must be an unsigned number", key);
  return at->second.number;
}

std::optional<std::uint64_t> Values::unsigned_if_one(const std::string& key) const {
  const auto at = m_values.find(key);
  if (at == m_values.end() || !is_unsigned(at->second.kind)) return std::nullopt;
  return at->second.number;
}

std::string Values::text_fact(const std::string& key) const {
  const auto* found = find(key, k_string);
  return found == nullptr ? std::string() : found->text;
}

std::vector<std::string> Values::names_of(const std::string& prefix) const {
  std::vector<std::string> out;
  const auto text = [&](const std::string& key) {
    const auto at = m_values.find(key);
    return at != m_values.end() && at->second.kind == k_string ? printable(at->second.text.substr(0, k_max_remark))
                                                               : "";
  };
  for (std::size_t i = 0; i < k_max_remarks; ++i) {
    const auto name = text(fmt::format("{}{}.name", prefix, i));
    if (name.empty()) break;
    const auto organization = text(fmt::format("{}{}.organization", prefix, i));
    out.push_back(organization.empty() ? name : organization + "/" + name);
  }
  return out;
}

std::optional<std::uint64_t> Values::array_fact(const std::string& key,
                                                std::initializer_list<std::uint32_t> kinds) const {
  const auto* found = find(key, k_array);
  if (found == nullptr) return std::nullopt;
  if (std::find(kinds.begin(), kinds.end(), found->array.kind) == kinds.end()) {
    malformed("'{}' is an array of the wrong value type {}", key, found->array.kind);
  }
  return found->array.count;
}

}  // namespace liftlock::gguf
