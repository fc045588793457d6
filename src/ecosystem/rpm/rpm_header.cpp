#include "ecosystem/rpm/rpm_header.hpp"

#include <algorithm>
#include <array>

#include "base/encoding.hpp"
#include "base/error.hpp"

namespace liftlock::rpm {
namespace {

enum Type : std::uint32_t {
  k_char = 1,
  k_int8 = 2,
  k_int16 = 3,
  k_int32 = 4,
  k_int64 = 5,
  k_string = 6,
  k_binary = 7,
  k_string_array = 8,
  k_i18n_string = 9,
};

/// Bytes of one item, which its offset is a multiple of; 0: strings.
constexpr std::array<std::uint32_t, 10> k_item_sizes = {0, 1, 1, 2, 4, 8, 0, 1, 0, 0};

std::uint64_t big_endian(std::span<const std::uint8_t> bytes) {
  std::uint64_t value = 0;
  for (const auto byte : bytes) value = value << 8 | byte;
  return value;
}
std::uint32_t word(std::span<const std::uint8_t> bytes, std::size_t at) {
  return static_cast<std::uint32_t>(big_endian(bytes.subspan(at, 4)));
}

bool is_number(std::uint32_t type) {
  return type >= k_int8 && type <= k_int64;
}

}  // namespace

std::uint64_t RpmHeader::size_by_intro(std::span<const std::uint8_t> intro) {
  constexpr std::array<std::uint8_t, 8> k_magic = {0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0};
  if (intro.size() < k_intro || !std::equal(k_magic.begin(), k_magic.end(), intro.begin())) {
    fail(ErrorCode::package_malformed, "there is no header where one must be");
  }
  const auto entries = word(intro, 8), data = word(intro, 12);
  if (entries == 0) fail(ErrorCode::package_malformed, "a header has no entry");
  if (entries > k_max_entries) fail(ErrorCode::limit_exceeded, "a header states {} entries", entries);
  if (data > k_max_data) fail(ErrorCode::limit_exceeded, "a header states {} bytes of data", data);
  return k_intro + 16ull * entries + data;
}

RpmHeader::RpmHeader(std::vector<std::uint8_t> bytes, HeaderPart part) : m_bytes(std::move(bytes)) {
  if (size_by_intro(m_bytes) != m_bytes.size()) fail(ErrorCode::package_malformed, "a header has another size");
  m_entries_stated = word(m_bytes, 8);
  const auto first = read_entry(0).tag;
  const auto region =
      static_cast<std::uint32_t>(part == HeaderPart::package ? Tag::region_immutable : Tag::region_signatures);
  if (part == HeaderPart::package && first != region) {
    fail(ErrorCode::package_malformed, "the header is no immutable region: a signature would not cover it");
  }
  if (first == region) check_region(region, part);
  std::uint64_t end = 0;
  for (std::size_t i = first == region ? 1 : 0; i < m_entries_stated; ++i) {
    auto entry = read_entry(i);
    const auto broken = [&](std::string_view why) {
      fail(ErrorCode::package_malformed, "tag {} of a header {}", entry.tag, why);
    };
    if (entry.tag < 100) broken("is none that an entry may have");
    if (entry.type < k_char || entry.type > k_i18n_string) broken("has an unknown type");
    if (entry.offset > data().size()) broken("lies outside of the data");
    if (entry.offset < end) broken("overlaps the one before it");
    const auto item = k_item_sizes.at(entry.type);
    if (item > 1 && entry.offset % item != 0) broken("is not aligned");
    if (entry.count == 0) broken("has no item");
    if (entry.count > k_max_items && entry.type != k_binary) {
      fail(ErrorCode::limit_exceeded, "tag {} of a header states {} items", entry.tag, entry.count);
    }
    entry.length = data_length(entry);
    end = entry.offset + entry.length;
    m_entries.push_back(entry);
  }
  std::sort(m_entries.begin(), m_entries.end(), [](const auto& a, const auto& b) { return a.tag < b.tag; });
  const auto twice = std::adjacent_find(m_entries.begin(), m_entries.end(),
                                        [](const auto& a, const auto& b) { return a.tag == b.tag; });
  if (twice != m_entries.end()) fail(ErrorCode::package_malformed, "tag {} stands twice in a header", twice->tag);
}

RpmHeader::Entry RpmHeader::read_entry(std::size_t index) const {
  const auto at = k_intro + 16 * index;
  return {word(m_bytes, at), word(m_bytes, at + 4), word(m_bytes, at + 8), word(m_bytes, at + 12), 0};
}

/// The region's data is an entry, too: the region's tag, and back to the first entry as a negative offset.
void RpmHeader::check_region(std::uint32_t region, HeaderPart part) const {
  const auto entry = read_entry(0);
  constexpr std::uint32_t k_trailer = 16;
  if (entry.type != k_binary || entry.count != k_trailer || entry.offset > data().size() ||
      data().size() - entry.offset < k_trailer) {
    fail(ErrorCode::package_malformed, "the region of a header is broken");
  }
  const auto trailer = data().subspan(entry.offset, k_trailer);
  const auto back = 0u - word(trailer, 8);
  // rpm once wrote the immutable region's tag at the end of a signature header.
  const auto tag = word(trailer, 0);
  const bool named =
      tag == region || (part == HeaderPart::signature && tag == static_cast<std::uint32_t>(Tag::region_immutable));
  if (!named || word(trailer, 4) != k_binary || word(trailer, 12) != k_trailer || back % 16 != 0) {
    fail(ErrorCode::package_malformed, "the end of a header's region is broken");
  }
  const bool whole = back / 16 == m_entries_stated && entry.offset + k_trailer == data().size();
  if (part == HeaderPart::package && !whole) {
    fail(ErrorCode::package_malformed, "the header goes on behind its region: a signature would not cover that");
  }
  if (back / 16 > m_entries_stated) fail(ErrorCode::package_malformed, "a header's region has more entries than it");
}

/// @throws Error{package_malformed} where it leaves the data
std::uint64_t RpmHeader::data_length(const Entry& entry) const {
  const auto rest = data().subspan(entry.offset);
  const auto outside = [&] {
    fail(ErrorCode::package_malformed, "tag {} of a header ends outside of the data", entry.tag);
  };
  if (const auto item = k_item_sizes.at(entry.type); item != 0) {
    const auto length = std::uint64_t{item} * entry.count;
    if (length > rest.size()) outside();
    return length;
  }
  if (entry.type == k_string && entry.count != 1) {
    fail(ErrorCode::package_malformed, "tag {} of a header is a string and several", entry.tag);
  }
  std::size_t at = 0;
  for (std::uint32_t i = 0; i < entry.count; ++i) {
    const auto end = std::find(rest.begin() + static_cast<std::ptrdiff_t>(at), rest.end(), 0);
    if (end == rest.end()) outside();
    at = static_cast<std::size_t>(end - rest.begin()) + 1;
  }
  return at;
}

const RpmHeader::Entry* RpmHeader::find(std::uint32_t tag) const {
  const auto at = std::lower_bound(m_entries.begin(), m_entries.end(), tag,
                                   [](const Entry& entry, std::uint32_t wanted) { return entry.tag < wanted; });
  return at != m_entries.end() && at->tag == tag ? &*at : nullptr;
}

std::vector<std::string_view> RpmHeader::texts(Tag tag) const {
  std::vector<std::string_view> out;
  const auto* entry = find(static_cast<std::uint32_t>(tag));
  if (entry == nullptr || (entry->type != k_string && entry->type != k_string_array && entry->type != k_i18n_string)) {
    return out;
  }
  auto rest = as_text(data().subspan(entry->offset, entry->length));
  for (std::uint32_t i = 0; i < entry->count; ++i) {
    const auto end = rest.find('\0');
    out.push_back(rest.substr(0, end));
    rest.remove_prefix(end + 1);
  }
  return out;
}

std::optional<std::string_view> RpmHeader::text(Tag tag) const {
  const auto* entry = find(static_cast<std::uint32_t>(tag));
  if (entry == nullptr || (entry->type != k_string && entry->type != k_i18n_string)) return std::nullopt;
  const auto all = as_text(data().subspan(entry->offset, entry->length));
  return all.substr(0, all.find('\0'));
}

std::vector<std::uint64_t> RpmHeader::numbers(Tag tag) const {
  std::vector<std::uint64_t> out;
  const auto* entry = find(static_cast<std::uint32_t>(tag));
  if (entry == nullptr || !is_number(entry->type)) return out;
  const auto item = k_item_sizes.at(entry->type);
  out.reserve(entry->count);
  for (std::uint32_t i = 0; i < entry->count; ++i) {
    out.push_back(big_endian(data().subspan(entry->offset + std::size_t{i} * item, item)));
  }
  return out;
}

std::optional<std::uint64_t> RpmHeader::number(Tag tag) const {
  const auto all = numbers(tag);
  return all.size() == 1 ? std::optional(all[0]) : std::nullopt;
}

std::optional<std::span<const std::uint8_t>> RpmHeader::binary(Tag tag) const {
  const auto* entry = find(static_cast<std::uint32_t>(tag));
  if (entry == nullptr || entry->type != k_binary) return std::nullopt;
  return data().subspan(entry->offset, entry->length);
}

}  // namespace liftlock::rpm
