#include "archive/zip_writer.hpp"

#include <unistd.h>
#include <zlib.h>

#include <algorithm>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

constexpr std::uint64_t k_wide = 0xffffffff;  // from here on zip64 says it
constexpr std::uint64_t k_many = 0xffff;
constexpr std::uint16_t k_plain_version = 20, k_wide_version = 45;
constexpr std::uint16_t k_made_by_unix = 3u << 8;
constexpr std::uint16_t k_no_time = 0, k_first_day = 0x0021;  // 1980-01-01, the first that the format has
constexpr std::uint32_t k_mode = 0100644u << 16;
constexpr std::size_t k_block = 1u << 20;

template <typename T>
void put(std::string& out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) out += static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i));
}
void u16(std::string& out, std::uint64_t value) {
  put(out, static_cast<std::uint16_t>(value));
}
void u32(std::string& out, std::uint64_t value) {
  put(out, static_cast<std::uint32_t>(value));
}
void u64(std::string& out, std::uint64_t value) {
  put(out, value);
}

std::uint32_t crc_of(std::uint32_t crc, std::span<const std::uint8_t> bytes) {
  return static_cast<std::uint32_t>(crc32_z(crc, bytes.data(), bytes.size()));
}

}  // namespace

ZipWriter::ZipWriter(int fd) : m_fd(fd) {}

void ZipWriter::write(std::string_view bytes) {
  write_all(m_fd, bytes, "a zip archive");
  m_at += bytes.size();
}

std::string ZipWriter::local_header(const Entry& entry) {
  const bool wide = entry.size >= k_wide;
  std::string out;
  u32(out, 0x04034b50);
  u16(out, wide ? k_wide_version : k_plain_version);
  u16(out, 0);  // flags
  u16(out, 0);  // stored
  u16(out, k_no_time);
  u16(out, k_first_day);
  u32(out, entry.crc);
  u32(out, wide ? k_wide : entry.size);
  u32(out, wide ? k_wide : entry.size);
  u16(out, entry.name.size());
  u16(out, wide ? 20 : 0);
  out += entry.name;
  if (wide) {
    u16(out, 0x0001);
    u16(out, 16);
    u64(out, entry.size);
    u64(out, entry.size);
  }
  return out;
}

std::string ZipWriter::central_header(const Entry& entry) {
  const bool wide_size = entry.size >= k_wide, wide_offset = entry.offset >= k_wide;
  std::string extra;
  if (wide_size) {
    u64(extra, entry.size);
    u64(extra, entry.size);
  }
  if (wide_offset) u64(extra, entry.offset);
  const auto version = wide_size || wide_offset ? k_wide_version : k_plain_version;
  std::string out;
  u32(out, 0x02014b50);
  u16(out, k_made_by_unix | version);
  u16(out, version);
  u16(out, 0);  // flags
  u16(out, 0);  // stored
  u16(out, k_no_time);
  u16(out, k_first_day);
  u32(out, entry.crc);
  u32(out, wide_size ? k_wide : entry.size);
  u32(out, wide_size ? k_wide : entry.size);
  u16(out, entry.name.size());
  u16(out, extra.empty() ? 0 : extra.size() + 4);
  u16(out, 0);  // comment
  u16(out, 0);  // disk
  u16(out, 0);  // internal attributes
  u32(out, k_mode);
  u32(out, wide_offset ? k_wide : entry.offset);
  out += entry.name;
  if (!extra.empty()) {
    u16(out, 0x0001);
    u16(out, extra.size());
    out += extra;
  }
  return out;
}

std::string ZipWriter::end_records(std::uint64_t count, std::uint64_t size, std::uint64_t offset) {
  std::string out;
  const bool wide = count >= k_many || size >= k_wide || offset >= k_wide;
  if (wide) {
    u32(out, 0x06064b50);
    u64(out, 44);
    u16(out, k_made_by_unix | k_wide_version);
    u16(out, k_wide_version);
    u32(out, 0);
    u32(out, 0);
    u64(out, count);
    u64(out, count);
    u64(out, size);
    u64(out, offset);
    u32(out, 0x07064b50);
    u32(out, 0);
    u64(out, offset + size);
    u32(out, 1);
  }
  u32(out, 0x06054b50);
  u16(out, 0);
  u16(out, 0);
  u16(out, std::min(count, k_many));
  u16(out, std::min(count, k_many));
  u32(out, std::min(size, k_wide));
  u32(out, std::min(offset, k_wide));
  u16(out, 0);
  return out;
}

void ZipWriter::begin(std::string_view name, std::uint64_t size) {
  if (name.empty() || name.size() > 1024) fail(ErrorCode::internal, "a zip entry's name has {} bytes", name.size());
  const bool taken = std::any_of(m_entries.begin(), m_entries.end(), [&](const auto& e) { return e.name == name; });
  if (taken) fail(ErrorCode::path_collision, "'{}' would stand in the zip archive twice", printable(name));
  m_entries.push_back({.name = std::string(name), .size = size, .offset = m_at, .crc = 0});
}

void ZipWriter::add(std::string_view name, std::string_view content) {
  begin(name, content.size());
  auto& entry = m_entries.back();
  entry.crc = crc_of(0, as_bytes(content));
  write(local_header(entry));
  write(content);
}

Digest ZipWriter::add(std::string_view name, int in, std::uint64_t size,
                      const std::function<void(std::uint64_t)>& progress) {
  begin(name, size);
  auto& entry = m_entries.back();
  // The checksum stands in front of the content and is known behind it: the header is written twice.
  write(local_header(entry));
  Hasher hasher;
  std::vector<std::uint8_t> buffer(std::min<std::uint64_t>(k_block, size));
  for (std::uint64_t done = 0; done < size;) {
    const auto block = std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), size - done));
    if (!pread_exact(in, block, done, name)) fail(ErrorCode::size_mismatch, "'{}' ends early", printable(name));
    hasher.update(block);
    entry.crc = crc_of(entry.crc, block);
    write(as_text(block));
    done += block.size();
    if (progress) progress(block.size());
  }
  const auto header = local_header(entry);
  for (std::size_t done = 0; done < header.size();) {
    const auto put =
        ::pwrite(m_fd, header.data() + done, header.size() - done, static_cast<off_t>(entry.offset + done));
    if (put < 0) fail_errno("write to a zip archive");
    done += static_cast<std::size_t>(put);
  }
  return hasher.finish();
}

void ZipWriter::finish() {
  const auto offset = m_at;
  for (const auto& entry : m_entries) write(central_header(entry));
  write(end_records(m_entries.size(), m_at - offset, offset));
}

std::uint64_t ZipWriter::archive_size(const std::vector<std::pair<std::string, std::uint64_t>>& names_and_sizes) {
  std::uint64_t at = 0, directory = 0;
  for (const auto& [name, size] : names_and_sizes) {
    const Entry entry{.name = name, .size = size, .offset = at, .crc = 0};
    directory += central_header(entry).size();
    at += local_header(entry).size() + size;
  }
  return at + directory + end_records(names_and_sizes.size(), directory, at).size();
}

}  // namespace liftlock
