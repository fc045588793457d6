#include "engine/package_reader.hpp"

#include <algorithm>
#include <array>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"

namespace liftlock::engine {
namespace {

constexpr std::uint64_t k_block = 512;
constexpr std::string_view k_manifest = "engine.json";

std::uint64_t padded(std::uint64_t size) {
  return (size + k_block - 1) / k_block * k_block;
}

std::string_view field(std::string_view header, std::size_t at, std::size_t size) {
  const auto text = header.substr(at, size);
  return text.substr(0, std::min(text.find('\0'), text.size()));
}

std::uint64_t octal(std::string_view text) {
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '7') fail(ErrorCode::engine_malformed, "a size in the engine package is not octal");
    value = value * 8 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

}  // namespace

EngineReader::EngineReader(int fd, EngineLimits limits)
    : m_fd(fd), m_limits(limits), m_file_size(regular_size(fd, "an engine package")) {
  Member member;
  if (!read_header(member) || member.path != k_manifest || member.type != MemberType::file || member.executable) {
    fail(ErrorCode::engine_malformed, "the first member of an engine package must be {}", k_manifest);
  }
  if (member.size > m_limits.max_manifest)
    fail(ErrorCode::limit_exceeded, "{} is larger than {} bytes", k_manifest, m_limits.max_manifest);
  m_manifest_text.resize(member.size);
  std::size_t done = 0;
  while (done < m_manifest_text.size()) {
    done += read({reinterpret_cast<std::uint8_t*>(m_manifest_text.data()) + done, m_manifest_text.size() - done});
  }
  m_manifest = parse_engine_manifest(m_manifest_text);
  if (m_manifest.files > m_limits.max_members || m_manifest.unpacked_size > m_limits.max_unpacked) {
    fail(ErrorCode::limit_exceeded, "the engine package holds {} members and {}", m_manifest.files,
         format_size(m_manifest.unpacked_size));
  }
}

bool EngineReader::read_header(Member& member) {
  std::string header(k_block, '\0');
  if (!pread_exact(m_fd, {reinterpret_cast<std::uint8_t*>(header.data()), header.size()}, m_next,
                   "an engine package")) {
    fail(ErrorCode::engine_malformed, "the engine package is truncated");
  }
  if (header == std::string(k_block, '\0')) return false;
  member = {};
  const auto prefix = field(header, 345, 155), name = field(header, 0, 100);
  member.path = prefix.empty() ? std::string(name) : fmt::format("{}/{}", prefix, name);
  switch (header[156]) {
    case '0':
      member.type = MemberType::file;
      break;
    case '5':
      member.type = MemberType::folder;
      break;
    case '2':
      member.type = MemberType::symlink;
      break;
    default:
      fail(ErrorCode::engine_malformed, "'{}' is neither file, folder nor symlink", printable(member.path));
  }
  member.executable = member.type == MemberType::file && field(header, 100, 8) == "0000755";
  if (member.type == MemberType::file) member.size = octal(field(header, 124, 12));
  if (member.type == MemberType::symlink) member.target = field(header, 157, 100);
  if (const auto why = why_not_engine_path(member.path); !why.empty()) {
    fail(ErrorCode::path_unsafe, "the path '{}' in the engine package: {}", printable(member.path), why);
  }
  if (tar_header(member) != header) {
    fail(ErrorCode::engine_malformed, "the header of '{}' is not what its content implies", printable(member.path));
  }
  m_data = m_next + k_block;
  m_left = member.size;
  if (padded(m_left) > m_file_size - std::min(m_data, m_file_size)) {
    fail(ErrorCode::engine_malformed, "'{}' claims more bytes than the engine package has", printable(member.path));
  }
  m_next = m_data + padded(m_left);
  return true;
}

void EngineReader::check_place(const Member& member) {
  if (member.path == k_manifest || (!m_last.empty() && member.path <= m_last)) {
    fail(ErrorCode::engine_malformed, "'{}' stands twice or out of order in the engine package",
         printable(member.path));
  }
  const auto slash = member.path.rfind('/');
  if (slash != std::string::npos && !m_folders.contains(std::string_view(member.path).substr(0, slash))) {
    fail(ErrorCode::path_unsafe, "'{}' does not stand in a folder of the engine package", printable(member.path));
  }
  if (member.type == MemberType::folder) m_folders.insert(member.path);
  if (member.type == MemberType::symlink) {
    if (const auto why = why_not_engine_link(member.path, member.target); !why.empty()) {
      fail(ErrorCode::path_unsafe, "the symlink '{}' in the engine package: {}", printable(member.path), why);
    }
  }
  if (++m_members > m_manifest.files)
    fail(ErrorCode::engine_malformed, "the engine package has more members than it says");
  m_bytes += member.size;
  if (m_bytes > m_manifest.unpacked_size)
    fail(ErrorCode::engine_malformed, "the engine package has more bytes than it says");
  if (member.type == MemberType::file && member.executable) m_found.insert(member.path);
  m_last = member.path;
}

bool EngineReader::next(Member& member) {
  if (!read_header(member)) {
    finish();
    return false;
  }
  check_place(member);
  return true;
}

void EngineReader::finish() {
  std::string end(2 * k_block, '\1');
  const bool whole =
      pread_exact(m_fd, {reinterpret_cast<std::uint8_t*>(end.data()), end.size()}, m_next, "an engine package");
  if (!whole || end != std::string(2 * k_block, '\0') || m_next + 2 * k_block != m_file_size) {
    fail(ErrorCode::engine_malformed, "the engine package does not end as it must");
  }
  if (m_members != m_manifest.files || m_bytes != m_manifest.unpacked_size) {
    fail(ErrorCode::engine_malformed, "the engine package has fewer members or bytes than it says");
  }
  for (const auto& [command, path] : m_manifest.executables) {
    if (!m_found.contains(path))
      fail(ErrorCode::engine_malformed, "the executable '{}' is not in the engine package", printable(path));
  }
}

std::size_t EngineReader::read(std::span<std::uint8_t> buffer) {
  const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), m_left));
  if (want == 0) return 0;
  if (!pread_exact(m_fd, buffer.first(want), m_data, "an engine package")) {
    fail(ErrorCode::engine_malformed, "the engine package is truncated");
  }
  m_data += want;
  m_left -= want;
  return want;
}

}  // namespace liftlock::engine
