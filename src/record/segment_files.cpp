#include "record/segment_files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/encoding.hpp"
#include "base/error.hpp"

namespace liftlock::record {
namespace {

constexpr std::uint64_t k_max_keys = 128u << 20;

}  // namespace

void write_at(int fd, std::string_view bytes, std::uint64_t place, std::string_view what) {
  while (!bytes.empty()) {
    const auto count = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(place));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) fail_errno(fmt::format("write to {}", what));
    bytes.remove_prefix(static_cast<std::size_t>(count));
    place += static_cast<std::uint64_t>(count);
  }
}

SegmentFiles::SegmentFiles(const fs::path& folder, const std::string& name, Access access)
    : m_name(name), m_keys(open_file(folder / (name + ".keys"), access == Access::read ? O_RDONLY : O_RDWR)) {
  m_frames = open_file_if_exists(folder / (name + ".rec"), O_RDONLY);
  m_slots = read_all(m_keys.get(), k_max_keys, name + ".keys");
  // A crash right after a segment was made may leave its key file short: it holds nothing then.
  if (m_slots.size() < KeysHeader::k_size) {
    m_slots.clear();
    return;
  }
  m_header = KeysHeader::parse(std::string_view(m_slots).substr(0, KeysHeader::k_size));
  m_slots.erase(0, KeysHeader::k_size);
}

std::uint32_t SegmentFiles::slot_count() const {
  return static_cast<std::uint32_t>(m_slots.size() / Slot::k_size);
}

Slot SegmentFiles::slot(std::uint32_t number) const {
  return Slot::parse(std::string_view(m_slots).substr(number * Slot::k_size, Slot::k_size));
}

SegmentKey SegmentFiles::unlock(const SecretKey& kek) const {
  if (slot_count() > 0 && m_header.kek != kek_id(kek)) {
    throw Error(ErrorCode::key_missing,
                fmt::format("the segment {} of the record was written under another key", m_name),
                "restore the keys/record.kek of that time");
  }
  return {kek, m_header};
}

ReadAt SegmentFiles::frames() const {
  if (!m_frames) fail(ErrorCode::blob_corrupt, "the segment {} of the record is missing", m_name);
  const int fd = m_frames->get();
  const auto what = m_name + ".rec";
  std::array<std::uint8_t, k_segment_magic.size()> first{};
  const bool whole = pread_exact(fd, first, 0, what);
  if (whole && as_text(first) != k_segment_magic) {
    const bool later = as_text(first).starts_with("liftlock.records/");
    fail(later ? ErrorCode::too_new : ErrorCode::blob_corrupt, "{} is no segment of version 2", what);
  }
  return [fd, what](std::uint64_t offset, std::span<std::uint8_t> buffer) {
    return pread_exact(fd, buffer, offset, what);
  };
}

void SegmentFiles::put(std::uint32_t number, std::size_t at, std::string_view bytes) {
  write_at(m_keys.get(), bytes, Slot::place(number) + at, m_name + ".keys");
  m_slots.replace(number * Slot::k_size + at, bytes.size(), bytes);
}

void SegmentFiles::erase(std::uint32_t number) {
  put(number, Slot::k_size - Slot::k_seed, std::string(Slot::k_seed, '\0'));
}

void SegmentFiles::restore_slots() {
  if (!m_frames) return;
  const auto read = frames();
  walk_frames(read, k_segment_magic.size(), [&](const FrameHeader& header, std::uint64_t place) {
    if (header.type != FrameType::begin || header.slot >= slot_count() || slot(header.slot).used()) return true;
    std::string body(header.size, '\0');
    if (!read(place, {reinterpret_cast<std::uint8_t*>(body.data()), body.size()})) return false;
    const auto begin = Begin::parse(body);
    if (!begin) return true;
    const Slot lost{.id = begin->id, .offset = place - FrameHeader::k_size, .seed = {}};
    put(header.slot, 0, std::string_view(lost.bytes()).substr(0, Slot::k_size - Slot::k_seed));
    return true;
  });
  sync_keys();  // the others, too: a process that was killed left them in memory
}

void SegmentFiles::sync_keys() {
  if (::fdatasync(m_keys.get()) != 0) fail_errno(fmt::format("fdatasync of {}.keys", m_name));
}

void no_such_record(const std::string& id) {
  throw Error(ErrorCode::not_found, fmt::format("there is no record {}", id), "`liftlock record find` lists ids");
}

std::pair<SegmentFiles, std::uint32_t> find_slot(const fs::path& folder, const std::string& id, Access access) {
  const auto wanted = parse_record_id(id);
  auto names = segment_names(folder);
  std::reverse(names.begin(), names.end());
  for (const auto& name : names) {
    SegmentFiles segment(folder, name, access);
    for (std::uint32_t number = 0; number < segment.slot_count(); ++number) {
      const auto slot = segment.slot(number);
      if (slot.used() && slot.id == wanted) return {std::move(segment), number};
    }
  }
  no_such_record(id);
}

}  // namespace liftlock::record
