#include "record/ahead_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "record/segment_files.hpp"

namespace liftlock::record {
namespace {

constexpr std::string_view k_family = "liftlock.record-ahead/";
constexpr std::string_view k_magic = "liftlock.record-ahead/1\n";
constexpr std::size_t k_digest = 32;
constexpr std::size_t k_frame = 4 + k_digest;
constexpr std::string_view k_what = "records/ahead";

[[noreturn]] void damaged(std::string_view why) {
  throw Error(ErrorCode::blob_corrupt, fmt::format("{} is damaged: {}", k_what, why),
              "it holds what may be missing in the records and in the audit log: restore it from a backup, or move it "
              "away and see with `liftlock record verify` what is lost");
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : m_bytes(bytes) {}
  std::string_view take(std::uint64_t count) {
    if (m_bytes.size() < count) damaged("a group is too short");
    const auto out = m_bytes.substr(0, count);
    m_bytes.remove_prefix(count);
    return out;
  }
  std::uint64_t uint(int bytes) { return get_uint(take(static_cast<std::uint64_t>(bytes))); }
  bool at_end() const { return m_bytes.empty(); }

 private:
  std::string_view m_bytes;
};

/// Of the frame at the start of these bytes; nullopt when it is torn, or there is none.
std::optional<std::string_view> payload_at(std::string_view bytes) {
  if (bytes.size() < k_frame) return std::nullopt;
  const auto size = Reader(bytes).uint(4);
  if (size == 0 || bytes.size() - k_frame < size) return std::nullopt;
  const auto payload = bytes.substr(k_frame, size);
  if (as_text(sha256(payload).bytes()) != bytes.substr(4, k_digest)) return std::nullopt;
  return payload;
}

AheadGroup parse_group(std::string_view payload) {
  Reader in(payload);
  if (!payload.starts_with(k_magic)) {
    if (payload.starts_with(k_family)) fail(ErrorCode::too_new, "{} has another version", k_what);
    damaged("a group has an unknown form");
  }
  in.take(k_magic.size());
  AheadGroup group;
  const auto run = as_bytes(in.take(group.run.size()));
  std::copy(run.begin(), run.end(), group.run.begin());
  group.number = in.uint(8);
  group.settled = in.uint(8);
  group.log = in.uint(8);
  for (auto count = in.uint(2); count > 0; --count) {
    AheadPart part;
    part.segment = static_cast<std::uint32_t>(in.uint(4));
    part.offset = in.uint(8);
    part.bytes = in.take(in.uint(4));
    group.parts.push_back(part);
  }
  for (auto count = in.uint(4); count > 0; --count) group.entries.push_back(in.take(in.uint(2)));
  if (!in.at_end()) damaged("a group is too long");
  return group;
}

std::size_t in_blocks(std::size_t size) {
  return (size + AheadGroup::k_block - 1) / AheadGroup::k_block * AheadGroup::k_block;
}

void sync_data(int fd) {
  if (::fdatasync(fd) != 0) fail_errno(fmt::format("fdatasync of {}", k_what));
}

}  // namespace

std::string AheadGroup::bytes() const {
  std::string payload(k_magic);
  payload += as_text(run);
  put_uint(payload, number, 8);
  put_uint(payload, settled, 8);
  put_uint(payload, log, 8);
  put_uint(payload, parts.size(), 2);
  for (const auto& part : parts) {
    put_uint(payload, part.segment, 4);
    put_uint(payload, part.offset, 8);
    put_uint(payload, part.bytes.size(), 4);
    payload += part.bytes;
  }
  put_uint(payload, entries.size(), 4);
  for (const auto& entry : entries) {
    put_uint(payload, entry.size(), 2);
    payload += entry;
  }
  std::string out;
  out.reserve(in_blocks(k_frame + payload.size()));
  put_uint(out, payload.size(), 4);
  out += as_text(sha256(payload).bytes());
  out += payload;
  out.resize(in_blocks(out.size()), '\0');
  return out;
}

std::vector<AheadGroup> ahead_groups(std::string_view bytes, std::size_t half) {
  std::vector<AheadGroup> groups;
  for (std::size_t begin = 0; begin < bytes.size(); begin += half) {
    auto rest = bytes.substr(begin, half);
    const auto first = groups.size();
    while (const auto payload = payload_at(rest)) {
      auto group = parse_group(*payload);
      // What an earlier lap left behind the last one has a lower number, or is of another run.
      if (groups.size() > first && (group.run != groups.back().run || group.number <= groups.back().number)) break;
      groups.push_back(std::move(group));
      rest.remove_prefix(std::min(rest.size(), in_blocks(k_frame + payload->size())));
    }
  }
  std::stable_sort(groups.begin(), groups.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
  return groups;
}

std::vector<AheadGroup> unsettled_groups(std::vector<AheadGroup> groups) {
  if (groups.empty()) return groups;
  const auto last = groups.back();
  std::erase_if(groups, [&](const auto& group) { return group.number <= last.settled; });
  auto wanted = last.settled;
  for (const auto& group : groups) {
    if (group.run != last.run) damaged("two processes wrote to it");
    if (group.number != ++wanted) damaged(fmt::format("group {} is missing", wanted));
  }
  return groups;
}

std::string read_ahead_file(const fs::path& folder) {
  const auto fd = open_file_if_exists(folder / "ahead", O_RDONLY);
  return fd ? read_all(fd->get(), 2 * k_ahead_half, k_what) : std::string();
}

AheadFile::AheadFile(const fs::path& folder) {
  const auto path = folder / "ahead";
  std::error_code missing;
  if (fs::file_size(path, missing) != 2 * k_ahead_half || missing) {
    try {
      write_file_atomically(path, std::string(2 * k_ahead_half, '\0'), 0600);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::disk_full) throw;
      throw Error(ErrorCode::disk_full, fmt::format("{}: it wants {} MiB there, once, before anything is recorded",
                                                    error.what(), 2 * k_ahead_half >> 20));
    }
  }
  m_fd = open_file(path, O_RDWR);
  const auto bytes = read_all(m_fd.get(), 2 * k_ahead_half, k_what);
  for (const std::size_t half : {0, 1}) {
    const auto groups = ahead_groups(std::string_view(bytes).substr(half * k_ahead_half, k_ahead_half));
    if (!groups.empty()) m_last[half] = groups.back().number;
  }
  clear();
}

AheadFile::Written AheadFile::write(const AheadGroup& group) {
  const auto bytes = group.bytes();
  if (bytes.size() > k_ahead_half) return Written::no;
  if (m_at + bytes.size() > k_ahead_half) {
    const auto other = 1 - m_half;
    // What is overwritten must be settled by the word of a group that stays, or a torn one would leave a gap.
    if (m_last[other] <= m_stated) {
      m_half = other;
      m_at = 0;
    } else if (std::max(m_last[0], m_last[1]) <= group.settled) {
      clear();
    } else {
      return Written::no;
    }
  }
  const bool is_new = m_at == 0;
  write_at(m_fd.get(), bytes, m_half * k_ahead_half + m_at, k_what);
  sync_data(m_fd.get());
  m_at += bytes.size();
  m_last[m_half] = group.number;
  m_stated = group.settled;
  return is_new ? Written::in_a_new_half : Written::yes;
}

void AheadFile::clear() {
  // The newer half first: the older one without it lacks nothing.
  const std::size_t newer = m_last[1] > m_last[0] ? 1 : 0;
  for (const auto half : {newer, 1 - newer}) {
    write_at(m_fd.get(), std::string(AheadGroup::k_block, '\0'), half * k_ahead_half, k_what);
    sync_data(m_fd.get());
  }
  m_half = m_at = 0;
  m_last = {};
  m_stated = 0;
}

}  // namespace liftlock::record
