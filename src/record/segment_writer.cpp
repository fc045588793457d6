#include "record/segment_writer.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "record/segment_files.hpp"

namespace liftlock::record {
namespace {

constexpr std::string_view k_key_file = "a key file of the record";
constexpr std::string_view k_segment = "a segment of the record";
constexpr std::size_t k_max_tail = 1u << 20;

std::uint32_t next_number(const fs::path& folder) {
  const auto names = segment_names(folder);
  return names.empty() ? 1 : static_cast<std::uint32_t>(*parse_uint(names.back()) + 1);
}

}  // namespace

Segment::Segment(const fs::path& folder, const SecretKey& kek) : m_number(next_number(folder)) {
  const auto name = segment_name(m_number);
  KeysHeader header{.kek = kek_id(kek), .salt = {}};
  const auto salt = SecretKey::random();
  std::copy(salt.bytes().begin(), salt.bytes().end(), header.salt.begin());
  m_key.emplace(kek, header);
  constexpr int flags = O_WRONLY | O_CREAT | O_EXCL;
  m_keys = open_file(folder / (name + ".keys"), flags, 0600);
  m_frames = open_file(folder / (name + ".rec"), flags, 0600);
  write_at(m_keys.get(), header.bytes(), 0, k_key_file);
  append(k_segment_magic);
  sync_file(m_keys.get(), k_key_file);
  sync_file(m_frames.get(), k_segment);
  sync_folder(folder);
  take_tail();
}

void Segment::keep_slots(std::size_t few, std::size_t many) {
  const auto has_enough = [&] {
    const std::lock_guard guard(m_slots_mutex);
    return m_ready.size() >= few;
  };
  if (has_enough()) return;  // who commits does not wait for who makes some ahead
  const std::lock_guard making(m_making);
  if (has_enough()) return;
  std::uint64_t made = 0;
  {
    const std::lock_guard guard(m_slots_mutex);
    made = m_made;
    many -= std::min(many, m_ready.size());
  }
  std::vector<Slot> fresh(many);
  std::string bytes;
  for (auto& slot : fresh) {
    const auto seed = SecretKey::random();
    std::copy(seed.bytes().begin(), seed.bytes().end(), slot.seed.begin());
    bytes += slot.bytes();
  }
  write_at(m_keys.get(), bytes, Slot::place(made), k_key_file);
  sync_slots();
  const std::lock_guard guard(m_slots_mutex);
  m_ready.insert(m_ready.end(), fresh.begin(), fresh.end());
  m_made += fresh.size();
}

std::pair<Slot, std::uint32_t> Segment::take_slot() {
  const std::lock_guard guard(m_slots_mutex);
  const auto slot = m_ready.front();
  m_ready.pop_front();
  return {slot, m_slots++};
}

void Segment::fill_slots(std::uint32_t first, const std::vector<Slot>& filled) {
  std::string bytes;
  for (const auto& slot : filled) bytes += slot.bytes();
  write_at(m_keys.get(), bytes, Slot::place(first), k_key_file);
}

void Segment::sync_slots() const {
  sync_file(m_keys.get(), k_key_file);
}

std::uint64_t Segment::append(std::string_view bytes) {
  const std::lock_guard guard(m_mutex);
  if (m_is_torn) fail(ErrorCode::record_unwritable, "an earlier write to {} failed", k_segment);
  m_is_torn = true;
  write_all(m_frames.get(), bytes, k_segment);
  m_is_torn = false;
  if (m_tail.size() + bytes.size() > k_max_tail) {
    m_tail.clear();
  } else {
    m_tail += bytes;
  }
  return std::exchange(m_end, m_end + bytes.size());
}

std::uint64_t Segment::end() {
  const std::lock_guard guard(m_mutex);
  return m_end;
}

Segment::Tail Segment::take_tail() {
  const std::lock_guard guard(m_mutex);
  Tail tail{.offset = m_end - m_tail.size(), .bytes = std::exchange(m_tail, {})};
  tail.known = tail.offset <= m_known_end;
  if (tail.known) m_known_end = m_end;
  return tail;
}

void Segment::sync() {
  const auto before = end();
  if (::fdatasync(m_frames.get()) != 0) fail_errno(fmt::format("fdatasync of {}", k_segment));
  const std::lock_guard guard(m_mutex);
  m_known_end = std::max(m_known_end, before);
}

}  // namespace liftlock::record
