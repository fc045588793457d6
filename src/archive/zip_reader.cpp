#include "archive/zip_reader.hpp"

#include <zlib.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

constexpr std::uint32_t k_local_signature = 0x04034b50, k_central_signature = 0x02014b50, k_end_signature = 0x06054b50;
constexpr std::uint32_t k_end64_signature = 0x06064b50, k_locator64_signature = 0x07064b50;
constexpr std::uint64_t k_local_size = 30, k_central_size = 46, k_end_size = 22, k_end64_size = 56,
                        k_locator64_size = 20;
constexpr std::uint32_t k_all_ones = 0xffffffff;
constexpr std::uint16_t k_flag_encrypted = 1u << 0, k_flag_descriptor = 1u << 3, k_flag_patched = 1u << 5,
                        k_flag_strong = 1u << 6, k_flag_utf8 = 1u << 11, k_flag_masked = 1u << 13;
constexpr std::uint16_t k_extra_zip64 = 0x0001, k_extra_unicode_path = 0x7075;
constexpr std::size_t k_block = 256u << 10;

[[noreturn]] void malformed(std::string_view why) {
  fail(ErrorCode::package_malformed, "the zip archive {}", why);
}

/// Little-endian number; the caller has checked the size.
template <typename T>
T number(std::span<const std::uint8_t> bytes, std::size_t at) {
  std::uint64_t value = 0;
  for (std::size_t i = sizeof(T); i-- > 0;) value = (value << 8) | bytes[at + i];
  return static_cast<T>(value);
}
std::uint16_t u16(std::span<const std::uint8_t> bytes, std::size_t at) {
  return number<std::uint16_t>(bytes, at);
}
std::uint32_t u32(std::span<const std::uint8_t> bytes, std::size_t at) {
  return number<std::uint32_t>(bytes, at);
}
std::uint64_t u64(std::span<const std::uint8_t> bytes, std::size_t at) {
  return number<std::uint64_t>(bytes, at);
}

void check_name(std::string_view name, std::uint16_t flags) {
  const auto refuse = [&](std::string_view why) {
    fail(ErrorCode::path_unsafe, "the zip archive has an entry '{}' whose name {}", printable(name.substr(0, 200)),
         why);
  };
  if (name.empty() || name.size() > 1024) refuse("is empty or too long");
  if (name.front() == '/' || (name.size() > 1 && name[1] == ':')) refuse("is absolute");
  for (const char c : name) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\') refuse("has a control byte or a backslash");
    if (static_cast<unsigned char>(c) >= 0x80 && (flags & k_flag_utf8) == 0) refuse("is not marked as UTF-8");
  }
  if (!is_utf8(name)) refuse("is not UTF-8");
  if (name.ends_with('/')) name.remove_suffix(1);
  for (const auto component : split(name, '/')) {
    if (component.empty() || component == "." || component == "..") refuse("leaves its folder or has an empty part");
  }
}

/// Only regular files and folders; archivers that are not of Unix leave the mode at 0.
void check_mode(const ZipEntry& entry, std::uint32_t attributes, unsigned made_by) {
  if (made_by != 3 && made_by != 19) return;
  const auto type = (attributes >> 16) & 0170000u;
  if (type == 0 || type == 0100000u || (type == 0040000u && entry.is_folder())) return;
  fail(ErrorCode::not_regular, "the entry '{}' of the zip archive is a link or a special file", printable(entry.name));
}

/// The 64-bit values stand in the order size, packed size, offset, and only for fields that are all ones.
void apply_extra(std::span<const std::uint8_t> extra, ZipEntry& entry, const std::uint32_t (&small)[3]) {
  bool seen = false;
  while (!extra.empty()) {
    if (extra.size() < 4) malformed("has a broken extra field");
    const auto id = u16(extra, 0);
    const std::size_t size = u16(extra, 2);
    if (extra.size() - 4 < size) malformed("has a broken extra field");
    auto field = extra.subspan(4, size);
    extra = extra.subspan(4 + size);
    if (id == k_extra_unicode_path) malformed("has a second name for an entry");
    if (id != k_extra_zip64) continue;
    if (std::exchange(seen, true)) malformed("has two zip64 fields for one entry");
    std::uint64_t* const wide[3] = {&entry.size, &entry.packed_size, &entry.offset};
    for (int i = 0; i < 3; ++i) {
      if (small[i] != k_all_ones) continue;
      if (field.size() < 8) malformed("has a zip64 field that is too short");
      *wide[i] = u64(field, 0);
      field = field.subspan(8);
    }
  }
  const bool needed = std::find(std::begin(small), std::end(small), k_all_ones) != std::end(small);
  if (needed && !seen) malformed("lacks a zip64 field");
}

class Inflater {
 public:
  Inflater() {
    if (inflateInit2(&m_stream, -MAX_WBITS) != Z_OK) fail(ErrorCode::memory_limit, "zlib has no memory");
  }
  ~Inflater() { inflateEnd(&m_stream); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  void feed(std::span<const std::uint8_t> packed, const ZipReader::Sink& sink) {
    m_stream.next_in = const_cast<Bytef*>(packed.data());
    m_stream.avail_in = static_cast<uInt>(packed.size());
    while (!m_ended && (m_stream.avail_in > 0 || m_full)) {
      m_stream.next_out = m_out.data();
      m_stream.avail_out = static_cast<uInt>(m_out.size());
      const int code = inflate(&m_stream, Z_NO_FLUSH);
      if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
        malformed("has an entry with broken compression");
      m_ended = code == Z_STREAM_END;
      m_full = m_stream.avail_out == 0;
      sink({m_out.data(), m_out.size() - m_stream.avail_out});
      if (code == Z_BUF_ERROR) break;
    }
  }
  bool ended() const { return m_ended && m_stream.avail_in == 0; }

 private:
  z_stream m_stream{};
  std::vector<std::uint8_t> m_out = std::vector<std::uint8_t>(k_block);
  bool m_ended = false;
  bool m_full = false;
};

}  // namespace

ZipReader::ZipReader(int fd, ZipLimits limits) : m_fd(fd), m_limits(limits), m_size(regular_size(fd, "a zip archive")) {
  const auto directory = find_directory();
  const auto bytes = bytes_at(directory.offset, directory.size);
  std::span<const std::uint8_t> rest(bytes);
  std::uint64_t total = 0;
  for (std::uint64_t i = 0; i < directory.count; ++i) {
    m_entries.push_back(parse_entry(rest, directory));
    total += m_entries.back().size;  // entries * entry_size stays far below 2^64
  }
  if (!rest.empty()) malformed("has more in its directory than it says");
  if (total > m_limits.free_size + m_limits.ratio * m_size) {
    fail(ErrorCode::limit_exceeded, "the zip archive of {} would unpack to {}", format_size(m_size),
         format_size(total));
  }
  check_layout(directory);
}

std::vector<std::uint8_t> ZipReader::bytes_at(std::uint64_t offset, std::uint64_t size) const {
  if (offset > m_size || size > m_size - offset) malformed("is truncated");
  std::vector<std::uint8_t> out(size);
  if (!pread_exact(m_fd, out, offset, "a zip archive")) malformed("is truncated");
  return out;
}

ZipReader::Directory ZipReader::find_directory() const {
  if (m_size < k_end_size) malformed("is too short to be one");
  const auto tail_size = std::min<std::uint64_t>(m_size, k_end_size + 0xffff);
  const auto tail = bytes_at(m_size - tail_size, tail_size);
  std::size_t at = tail.size() - k_end_size;
  while (at > 0 && u32(tail, at) != k_end_signature) --at;
  const auto end = std::span(tail).subspan(at);
  if (u32(end, 0) != k_end_signature) malformed("has no end record");
  if (u16(end, 20) != end.size() - k_end_size) malformed("has bytes behind its end record");
  Directory out{.offset = u32(end, 16), .size = u32(end, 12), .count = u16(end, 10)};
  if (u16(end, 4) != 0 || u16(end, 6) != 0 || u16(end, 8) != u16(end, 10)) malformed("spans several disks");

  auto expected_end = m_size - end.size();
  if (expected_end >= k_locator64_size &&
      u32(bytes_at(expected_end - k_locator64_size, k_locator64_size), 0) == k_locator64_signature) {
    const auto locator = expected_end - k_locator64_size;
    out = zip64_directory(locator, out);
    expected_end = locator - k_end64_size;
  }
  if (out.size > m_limits.directory_size || out.count > m_limits.entries) {
    fail(ErrorCode::limit_exceeded, "the zip archive has {} entries; at most {} are read", out.count, m_limits.entries);
  }
  if (out.offset > expected_end || out.size != expected_end - out.offset)
    malformed("has a directory in another place than it says");
  return out;
}

ZipReader::Directory ZipReader::zip64_directory(std::uint64_t locator, const Directory& plain) const {
  const auto bytes = bytes_at(locator, k_locator64_size);
  if (u32(bytes, 4) != 0 || u32(bytes, 16) > 1) malformed("spans several disks");
  if (locator < k_end64_size || u64(bytes, 8) != locator - k_end64_size)
    malformed("has a zip64 end record in another place than it says");
  const auto end = bytes_at(locator - k_end64_size, k_end64_size);
  if (u32(end, 0) != k_end64_signature || u64(end, 4) != k_end64_size - 12) malformed("has a broken zip64 end record");
  if (u32(end, 16) != 0 || u32(end, 20) != 0 || u64(end, 24) != u64(end, 32)) malformed("spans several disks");
  const Directory out{.offset = u64(end, 48), .size = u64(end, 40), .count = u64(end, 32)};
  const bool agrees = (plain.offset == k_all_ones || plain.offset == out.offset) &&
                      (plain.size == k_all_ones || plain.size == out.size) &&
                      (plain.count == 0xffff || plain.count == out.count);
  if (!agrees) malformed("has two end records that contradict each other");
  return out;
}

ZipEntry ZipReader::parse_entry(std::span<const std::uint8_t>& rest, const Directory& directory) const {
  if (rest.size() < k_central_size || u32(rest, 0) != k_central_signature) malformed("has a broken directory");
  const std::size_t name_size = u16(rest, 28), extra_size = u16(rest, 30), comment_size = u16(rest, 32);
  if (rest.size() - k_central_size < name_size + extra_size + comment_size) malformed("has a broken directory");
  ZipEntry entry;
  entry.flags = u16(rest, 8);
  entry.method = u16(rest, 10);
  entry.crc = u32(rest, 16);
  const std::uint32_t small[3] = {u32(rest, 24), u32(rest, 20), u32(rest, 42)};
  entry.size = small[0];
  entry.packed_size = small[1];
  entry.offset = small[2];
  entry.name = as_text(rest.subspan(k_central_size, name_size));
  check_name(entry.name, entry.flags);
  apply_extra(rest.subspan(k_central_size + name_size, extra_size), entry, small);
  check_mode(entry, u32(rest, 38), rest[5]);
  if (u16(rest, 34) != 0) malformed("spans several disks");
  constexpr std::uint16_t refused = k_flag_encrypted | k_flag_patched | k_flag_strong | k_flag_masked;
  if ((entry.flags & refused) != 0) malformed("is encrypted or patched");
  if (entry.method != Z_DEFLATED && entry.method != 0) malformed("uses a compression other than deflate");
  if (entry.method == 0 && entry.size != entry.packed_size) malformed("has a stored entry with two sizes");
  if (entry.is_folder() && entry.size != 0) malformed("has a folder with content");
  if (entry.size > m_limits.entry_size) {
    fail(ErrorCode::limit_exceeded, "'{}' would unpack to {}", printable(entry.name), format_size(entry.size));
  }
  if (entry.offset >= directory.offset || entry.packed_size > directory.offset - entry.offset)
    malformed("has an entry outside of itself");
  rest = rest.subspan(k_central_size + name_size + extra_size + comment_size);
  return entry;
}

/// Every byte belongs to one entry at most (no overlapping "quine" bombs), and every name to one entry.
void ZipReader::check_layout(const Directory& directory) {
  std::vector<std::size_t> order(m_entries.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return m_entries[a].offset < m_entries[b].offset; });
  if (!order.empty() && m_entries[order[0]].offset != 0) malformed("has bytes before its first entry");
  for (std::size_t i = 0; i < order.size(); ++i) {
    auto& entry = m_entries[order[i]];
    entry.limit = i + 1 < order.size() ? m_entries[order[i + 1]].offset : directory.offset;
    const auto least = k_local_size + entry.name.size() + entry.packed_size;
    if (least > entry.limit - entry.offset) malformed("has entries that overlap");
  }
  m_by_name.resize(m_entries.size());
  std::iota(m_by_name.begin(), m_by_name.end(), std::size_t{0});
  std::sort(m_by_name.begin(), m_by_name.end(), [&](auto a, auto b) { return m_entries[a].name < m_entries[b].name; });
  for (std::size_t i = 1; i < m_by_name.size(); ++i) {
    const auto& name = m_entries[m_by_name[i]].name;
    if (name != m_entries[m_by_name[i - 1]].name) continue;
    fail(ErrorCode::path_collision, "the zip archive has '{}' twice", printable(name));
  }
}

const ZipEntry* ZipReader::find(std::string_view name) const {
  const auto found =
      std::lower_bound(m_by_name.begin(), m_by_name.end(), name,
                       [&](auto index, std::string_view wanted) { return m_entries[index].name < wanted; });
  if (found == m_by_name.end() || m_entries[*found].name != name) return nullptr;
  return &m_entries[*found];
}

std::uint64_t ZipReader::content_offset(const ZipEntry& entry) const {
  const auto header = bytes_at(entry.offset, k_local_size + entry.name.size());
  const auto differs = [&] { malformed(fmt::format("says two things about '{}'", printable(entry.name))); };
  if (u32(header, 0) != k_local_signature || u16(header, 26) != entry.name.size()) differs();
  if (as_text(std::span(header).subspan(k_local_size)) != entry.name) differs();
  if (u16(header, 8) != entry.method || ((u16(header, 6) ^ entry.flags) & k_flag_encrypted) != 0) differs();
  if ((u16(header, 6) & k_flag_descriptor) == 0) {
    const auto packed = u32(header, 18), size = u32(header, 22);
    if (u32(header, 14) != entry.crc || (packed != k_all_ones && packed != entry.packed_size) ||
        (size != k_all_ones && size != entry.size)) {
      differs();
    }
  }
  const auto start = entry.offset + header.size() + u16(header, 28);
  if (start > entry.limit || entry.packed_size > entry.limit - start) malformed("has entries that overlap");
  return start;
}

void ZipReader::stream(const ZipEntry& entry, const Sink& sink) const {
  auto offset = content_offset(entry);
  std::uint64_t left = entry.packed_size, size = 0;
  uLong crc = crc32(0, nullptr, 0);
  const auto take = [&](std::span<const std::uint8_t> bytes) {
    size += bytes.size();
    if (size > entry.size) malformed(fmt::format("unpacks '{}' to more than it says", printable(entry.name)));
    crc = crc32(crc, bytes.data(), static_cast<uInt>(bytes.size()));
    if (!bytes.empty()) sink(bytes);
  };
  std::vector<std::uint8_t> block(std::min<std::uint64_t>(k_block, left));
  std::unique_ptr<Inflater> inflater;
  if (entry.method == Z_DEFLATED) inflater = std::make_unique<Inflater>();
  while (left > 0) {
    const std::span part(block.data(), std::min<std::uint64_t>(block.size(), left));
    if (!pread_exact(m_fd, part, offset, "a zip archive")) malformed("is truncated");
    offset += part.size();
    left -= part.size();
    if (inflater) {
      inflater->feed(part, take);
    } else {
      take(part);
    }
  }
  const bool whole = size == entry.size && (!inflater || inflater->ended());
  if (!whole || crc != entry.crc)
    malformed(fmt::format("has '{}' with a wrong size or checksum", printable(entry.name)));
}

std::string ZipReader::read(const ZipEntry& entry, std::uint64_t max_bytes) const {
  if (entry.size > max_bytes) {
    fail(ErrorCode::limit_exceeded, "'{}' has {} bytes; at most {} are read", printable(entry.name), entry.size,
         max_bytes);
  }
  std::string out;
  stream(entry, [&](std::span<const std::uint8_t> bytes) { out += as_text(bytes); });
  return out;
}

}  // namespace liftlock
