#include "record/segment_writer.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock::record {
namespace {

constexpr std::string_view k_key_file = "a key file of the record";

void write_at(int fd, std::string_view bytes, std::uint64_t place) {
  while (!bytes.empty()) {
    const auto count = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(place));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) fail_errno(fmt::format("write to {}", k_key_file));
    bytes.remove_prefix(static_cast<std::size_t>(count));
    place += static_cast<std::uint64_t>(count);
  }
}

}  // namespace

Segment::Segment(const fs::path& folder, const SecretKey& kek) {
  const auto names = segment_names(folder);
  const auto name = fmt::format("{:08}", names.empty() ? 1 : *parse_uint(names.back()) + 1);
  KeysHeader header{.kek = kek_id(kek), .salt = {}};
  const auto salt = SecretKey::random();
  std::copy(salt.bytes().begin(), salt.bytes().end(), header.salt.begin());
  key.emplace(kek, header);
  constexpr int flags = O_WRONLY | O_CREAT | O_EXCL;
  keys = open_file(folder / (name + ".keys"), flags, 0600);
  frames = open_file(folder / (name + ".rec"), flags, 0600);
  write_at(keys.get(), header.bytes(), 0);
  append(k_segment_magic);
  sync_file(keys.get(), k_key_file);
  sync_file(frames.get(), "a segment of the record");
  sync_folder(folder);
}

void Segment::make_slots(std::size_t count) {
  std::string bytes;
  const auto place = Slot::place(slots + ready.size());
  for (std::size_t i = 0; i < count; ++i) {
    auto& slot = ready.emplace_back();
    const auto seed = SecretKey::random();
    std::copy(seed.bytes().begin(), seed.bytes().end(), slot.seed.begin());
    bytes += slot.bytes();
  }
  write_at(keys.get(), bytes, place);
  sync_slots();
}

void Segment::fill_slots(std::uint32_t first, const std::vector<Slot>& filled) {
  std::string bytes;
  for (const auto& slot : filled) bytes += slot.bytes();
  write_at(keys.get(), bytes, Slot::place(first));
}

void Segment::sync_slots() const {
  sync_file(keys.get(), k_key_file);
}

std::uint64_t Segment::append(std::string_view bytes) {
  const std::lock_guard guard(m_mutex);
  write_all(frames.get(), bytes, "a segment of the record");
  return std::exchange(m_end, m_end + bytes.size());
}

std::uint64_t Segment::end() {
  const std::lock_guard guard(m_mutex);
  return m_end;
}

}  // namespace liftlock::record
