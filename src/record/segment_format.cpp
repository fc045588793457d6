#include "record/segment_format.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "record/answer_parts.hpp"

namespace liftlock::record {
namespace {

constexpr std::string_view k_crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::string_view k_kek_magic = "liftlock.record-kek/1\n";
constexpr std::size_t k_check = 4;

void put_check(std::string& header) {
  header += as_text(sha256(header).bytes().first(k_check));
}

bool check_fits(std::string_view header) {
  const auto covered = header.substr(0, header.size() - k_check);
  return as_text(sha256(covered).bytes().first(k_check)) == header.substr(covered.size());
}

/// Are there zeros only from offset to the end?
bool only_zeros(const ReadAt& read, std::uint64_t offset) {
  std::array<std::uint8_t, 4096> block;
  std::array<std::uint8_t, 1> byte;
  for (; read(offset, block); offset += block.size()) {
    if (std::any_of(block.begin(), block.end(), [](auto b) { return b != 0; })) return false;
  }
  for (; read(offset, byte); ++offset) {
    if (byte[0] != 0) return false;
  }
  return true;
}

}  // namespace

void put_uint(std::string& out, std::uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xFF);
}

std::uint64_t get_uint(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<std::uint8_t>(c);
  return value;
}

std::string text_of(const RecordId& id) {
  // 26 digits of 5 bits hold 130: the first two bits are zero.
  std::string out(26, '0');
  unsigned bits = 0;
  int have = 0;
  std::size_t at = out.size();
  for (std::size_t i = id.size(); i-- > 0;) {
    bits |= static_cast<unsigned>(id[i]) << have;
    have += 8;
    while (have >= 5) {
      out[--at] = k_crockford[bits & 31];
      bits >>= 5;
      have -= 5;
    }
  }
  out[--at] = k_crockford[bits & 31];
  return out;
}

RecordId parse_record_id(std::string_view text) {
  const auto refuse = [&] {
    throw Error(ErrorCode::not_found, fmt::format("'{}' is no record's id: 26 letters and digits", printable(text)),
                "`liftlock record find` lists ids");
  };
  if (text.size() != 26 || text[0] > '7') refuse();
  RecordId id{};
  unsigned bits = 0;
  int have = 0;
  std::size_t at = id.size();
  for (std::size_t i = text.size(); i-- > 0;) {
    const auto digit = k_crockford.find(text[i]);
    if (digit == std::string_view::npos) refuse();
    bits |= static_cast<unsigned>(digit) << have;
    have += 5;
    if (have >= 8 && at > 0) {
      id[--at] = static_cast<std::uint8_t>(bits & 0xFF);
      bits >>= 8;
      have -= 8;
    }
  }
  return id;
}

namespace {

/// Nothing hangs on nobody guessing them; a draw from the generator costs more than an id is long, so it gives many.
std::span<const std::uint8_t> random_for_id() {
  constexpr std::size_t k_size = 10, k_ids = 25;  // getentropy(3) gives 256 bytes at most
  thread_local std::array<std::uint8_t, k_size * k_ids> pool;
  thread_local std::size_t used = pool.size();
  if (used == pool.size()) {
    if (::getentropy(pool.data(), pool.size()) != 0) fail_errno("getentropy");
    used = 0;
  }
  used += k_size;
  return std::span(pool).subspan(used - k_size, k_size);
}

}  // namespace

RecordId make_record_id() {
  using std::chrono::system_clock;
  const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(system_clock::now().time_since_epoch());
  auto ticks = static_cast<std::uint64_t>(time.count());
  const auto random = random_for_id();
  RecordId id{};
  for (std::size_t i = 6; i-- > 0; ticks >>= 8) id[i] = static_cast<std::uint8_t>(ticks & 0xFF);
  std::copy(random.begin(), random.end(), id.begin() + 6);
  return id;
}

Timestamp time_of(const RecordId& id) {
  std::uint64_t milliseconds = 0;
  for (std::size_t i = 0; i < 6; ++i) milliseconds = milliseconds << 8 | id[i];
  return Timestamp(std::chrono::seconds(milliseconds / 1000));
}

std::string FrameHeader::bytes() const {
  std::string out;
  out.reserve(k_size);
  put_uint(out, slot, 4);
  put_uint(out, number, 4);
  put_uint(out, static_cast<std::uint8_t>(type), 1);
  put_uint(out, size, 4);
  put_check(out);
  return out;
}

std::optional<FrameHeader> FrameHeader::parse(std::string_view bytes) {
  if (bytes.size() != k_size || !check_fits(bytes)) return std::nullopt;
  FrameHeader header;
  header.slot = static_cast<std::uint32_t>(get_uint(bytes.substr(0, 4)));
  header.number = static_cast<std::uint32_t>(get_uint(bytes.substr(4, 4)));
  const auto type = get_uint(bytes.substr(8, 1));
  header.type = static_cast<FrameType>(type);
  header.size = static_cast<std::uint32_t>(get_uint(bytes.substr(9, 4)));
  if (type < 1 || type > 5 || header.size < Aead::k_tag || header.size > k_max_body) return std::nullopt;
  return header;
}

std::string frame_data(const RecordId& id, std::uint32_t number, FrameType type) {
  std::string out = "liftlock.record/1\n";
  out += as_text(id);
  put_uint(out, number, 4);
  put_uint(out, static_cast<std::uint8_t>(type), 1);
  return out;
}

std::string Begin::bytes() const {
  std::string out(as_text(id));
  put_uint(out, static_cast<std::uint8_t>(mode), 1);
  out += as_text(key);
  return out;
}

std::optional<Begin> Begin::parse(std::string_view bytes) {
  if (bytes.size() != k_size) return std::nullopt;
  Begin begin;
  const auto values = as_bytes(bytes);
  std::copy_n(values.begin(), begin.id.size(), begin.id.begin());
  begin.mode = static_cast<RecordMode>(values[16]);
  if (begin.mode != RecordMode::full && begin.mode != RecordMode::hash_only) return std::nullopt;
  std::copy_n(values.begin() + 17, begin.key.size(), begin.key.begin());
  return begin;
}

std::string KeysHeader::bytes() const {
  std::string out(k_magic);
  out += as_text(kek);
  out += as_text(salt);
  out.resize(k_size - k_check, '\0');
  put_check(out);
  return out;
}

KeysHeader KeysHeader::parse(std::string_view bytes) {
  constexpr std::string_view family = "liftlock.record-keys/";
  if (bytes.starts_with(family) && !bytes.starts_with(k_magic)) {
    fail(ErrorCode::too_new, "a key file of the record has another version");
  }
  if (bytes.size() != k_size || !bytes.starts_with(k_magic) || !check_fits(bytes)) {
    throw Error(ErrorCode::blob_corrupt, "a key file of the record is damaged", "restore STATE/records from a backup");
  }
  KeysHeader header;
  const auto values = as_bytes(bytes.substr(k_magic.size()));
  std::copy_n(values.begin(), header.kek.size(), header.kek.begin());
  std::copy_n(values.begin() + 16, header.salt.size(), header.salt.begin());
  return header;
}

std::string Slot::bytes() const {
  std::string out(as_text(id));
  put_uint(out, offset, 8);
  out.resize(k_size - k_seed, '\0');
  out += as_text(seed);
  return out;
}

Slot Slot::parse(std::string_view bytes) {
  Slot slot;
  const auto values = as_bytes(bytes);
  std::copy_n(values.begin(), slot.id.size(), slot.id.begin());
  slot.offset = get_uint(bytes.substr(16, 8));
  std::copy_n(values.begin() + k_size - k_seed, slot.seed.size(), slot.seed.begin());
  return slot;
}

namespace {

/// Of one slot; it seals once.
Aead slot_aead(const SecretKey& segment, const Slot& slot, std::uint32_t number) {
  std::string label = "liftlock.record-slot/1\n";
  put_uint(label, number, 4);
  label += as_text(slot.seed);
  return Aead(segment.derive(label));
}

std::string begin_data(const RecordId& id, RecordMode mode) {
  auto out = frame_data(id, 0, FrameType::begin);
  put_uint(out, static_cast<std::uint8_t>(mode), 1);
  return out;
}

}  // namespace

SegmentKey::SegmentKey(const SecretKey& kek, const KeysHeader& header)
    : m_key(kek.derive("liftlock.record-segment/1\n" + std::string(as_text(header.salt)))) {}

Begin SegmentKey::wrap(const Slot& slot, std::uint32_t number, RecordMode mode, const SecretKey& key) const {
  Begin begin{.id = slot.id, .mode = mode, .key = {}};
  const auto sealed = slot_aead(m_key, slot, number).seal(0, begin_data(slot.id, mode), as_text(key.bytes()));
  std::copy_n(as_bytes(sealed).begin(), begin.key.size(), begin.key.begin());
  return begin;
}

std::optional<SecretKey> SegmentKey::unwrap(const Slot& slot, std::uint32_t number, const Begin& begin) const {
  const auto key = slot_aead(m_key, slot, number).open(0, begin_data(slot.id, begin.mode), as_text(begin.key));
  if (!key) return std::nullopt;
  return SecretKey(as_bytes(*key));
}

FramesEnd walk_frames(const ReadAt& read, std::uint64_t offset,
                      const std::function<bool(const FrameHeader&, std::uint64_t body)>& visit) {
  std::array<std::uint8_t, FrameHeader::k_size> bytes;
  std::array<std::uint8_t, 1> last;
  for (;;) {
    if (!read(offset, bytes)) return read(offset, last) ? FramesEnd::torn : FramesEnd::whole;
    const auto header = FrameHeader::parse(as_text(bytes));
    if (!header) return only_zeros(read, offset) ? FramesEnd::torn : FramesEnd::damaged;
    const auto body = offset + FrameHeader::k_size;
    if (!read(body + header->size - 1, last)) return FramesEnd::torn;
    if (!visit(*header, body)) return FramesEnd::whole;
    offset = body + header->size;
  }
}

std::string segment_name(std::uint32_t number) {
  return fmt::format("{:08}", number);
}

std::vector<std::string> segment_names(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code missing;
  for (fs::directory_iterator at(folder, missing), end; at != end; at.increment(missing)) {
    const auto stem = at->path().stem().string();
    if (at->path().extension() == ".keys" && parse_uint(stem)) names.push_back(stem);
  }
  std::sort(names.begin(), names.end(), [](const auto& a, const auto& b) { return *parse_uint(a) < *parse_uint(b); });
  return names;
}

std::string head_to_bytes(const RecordHead& head, std::uint64_t prompt_size) {
  return dump_json_line({{"time", format_time(head.time)},
                         {"user", head.user},
                         {"key_id", head.key_id},
                         {"peer", head.peer},
                         {"endpoint", head.endpoint},
                         {"model", head.model},
                         {"model_digest", head.model_digest},
                         {"engine", head.engine},
                         {"tags", head.tags},
                         {"prompt_size", prompt_size}});
}

ParsedHead head_from_bytes(std::string_view bytes, const RecordId& id) {
  constexpr std::string_view where = "the head of a record";
  const auto json = parse_json(bytes);
  ParsedHead parsed;
  auto& head = parsed.head;
  head.id = text_of(id);
  head.time = parse_time(string_member(json, "time", where));
  for (auto [key, value] : {std::pair{"user", &head.user},
                            {"key_id", &head.key_id},
                            {"peer", &head.peer},
                            {"endpoint", &head.endpoint},
                            {"model", &head.model},
                            {"model_digest", &head.model_digest},
                            {"engine", &head.engine}}) {
    *value = string_member(json, key, where);
  }
  for (const auto& tag : array_member(json, "tags", where)) {
    if (!tag.is_string()) fail(ErrorCode::schema_violation, "{} has a tag that is no text", where);
    head.tags.push_back(tag.get<std::string>());
  }
  parsed.prompt_size = uint_member(json, "prompt_size", where);
  return parsed;
}

SecretKey load_kek(const fs::path& file) {
  if (!fs::exists(file)) {
    throw Error(ErrorCode::key_missing,
                fmt::format("the key of the record, '{}', is missing", printable(file.string())),
                "restore it from its backup: without it no record can be read");
  }
  auto text = read_file(file, 4096);
  const auto line = std::string_view(text).substr(std::min(text.size(), k_kek_magic.size()));
  const auto bytes = text.starts_with(k_kek_magic) ? decode_base64(trim(line)) : std::nullopt;
  if (!bytes || bytes->size() != SecretKey::k_size) {
    fail(ErrorCode::schema_violation, "'{}' is no key of the record", printable(file.string()));
  }
  return SecretKey(*bytes);
}

SecretKey load_or_make_kek(const fs::path& file, bool may_make) {
  if (!fs::exists(file) && may_make) {
    make_folders(file.parent_path());
    write_file_atomically(file, std::string(k_kek_magic) + encode_base64(SecretKey::random().bytes()) + "\n", 0600);
  }
  return load_kek(file);
}

std::array<std::uint8_t, 16> kek_id(const SecretKey& kek) {
  const auto tag = hmac_sha256(kek, "liftlock.record-kek-id/1\n");
  std::array<std::uint8_t, 16> id;
  std::copy_n(tag.begin(), id.size(), id.begin());
  return id;
}

SecretKey mac_key(const SecretKey& record_key) {
  return record_key.derive("liftlock.record-mac/1\n");
}

}  // namespace liftlock::record

namespace liftlock {

Json to_json(const RecordHead& head) {
  return {{"id", head.id},         {"time", format_time(head.time)},
          {"user", head.user},     {"key_id", head.key_id},
          {"peer", head.peer},     {"endpoint", head.endpoint},
          {"model", head.model},   {"model_digest", head.model_digest},
          {"engine", head.engine}, {"tags", head.tags}};
}

Json to_json(const Record& record) {
  auto json = to_json(record.head);
  json["prompt"] = record.prompt;
  if (!record.recording.empty())
    json["recording"] = {{"bytes", record.recording.size()}, {"sha256", sha256(record.recording).hex()}};
  for (auto& part : answer_parts(record.answer)) {
    (part.name == k_content_part ? json["answer"] : json["parts"][part.name]) = std::move(part.text);
  }
  json["outcome"] = record.outcome;
  return json;
}

std::string new_record_id() {
  return record::text_of(record::make_record_id());
}

bool is_record_id(std::string_view text) {
  try {
    record::parse_record_id(text);
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace liftlock
