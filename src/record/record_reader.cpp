#include "record/record_reader.hpp"

#include <fcntl.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "audit/audit_entry.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "record/ahead_file.hpp"
#include "record/record_keeper.hpp"
#include "record/retention.hpp"
#include "record/segment_files.hpp"
#include "record/text_search.hpp"

namespace liftlock {
namespace {

using namespace record;

[[noreturn]] void damaged(std::string_view id, std::string_view why) {
  throw Error(ErrorCode::blob_corrupt, fmt::format("the record {} is damaged: {}", id, why),
              "somebody changed it, or the disk fails; restore STATE/records from a backup and compare");
}

[[noreturn]] void never_acknowledged(std::string_view id) {
  throw Error(ErrorCode::not_found, fmt::format("the record {} was cut off while it was begun", id),
              fmt::format("nothing was answered under this id, unless the audit log has it: `liftlock record verify {}`"
                          " tells",
                          id));
}

/// A record while its frames are read, in order.
class Assembly {
 public:
  Assembly(const RecordId& id, const SecretKey& key) : m_id(id), m_text(text_of(id)), m_aead(key) {}

  void add(const FrameHeader& header, std::string_view body) {
    if (header.number != m_frames) damaged(m_text, fmt::format("frame {} is missing", m_frames));
    const auto plain = m_aead.open(header.number, frame_data(m_id, header.number, header.type), body);
    if (!plain) damaged(m_text, fmt::format("frame {} was changed", header.number));
    const bool first = m_frames == 0;
    const bool in_order =
        !m_outcome && (first ? header.type == FrameType::head : header.type > FrameType::head && header.type >= m_last);
    if (!in_order) damaged(m_text, fmt::format("frame {} is out of order", header.number));
    ++m_frames;
    m_last = header.type;
    take(header.type, *plain);
  }
  bool closed() const { return m_outcome.has_value(); }
  std::uint32_t frames() const { return m_frames; }
  const RecordHead& head() const { return m_head.head; }
  std::uint64_t prompt_size() const { return m_head.prompt_size; }

  Record finish(FramesEnd end) {
    if (!closed() && end == FramesEnd::damaged) damaged(m_text, "a frame's header was changed");
    const bool complete = m_frames > 0 && m_prompt.size() == m_head.prompt_size;
    if (!complete && !closed()) never_acknowledged(m_text);
    if (!complete) damaged(m_text, "its prompt has another size");
    std::string recording;
    if (const auto mark = m_prompt.find(k_recording_mark); mark != std::string::npos) {
      recording = m_prompt.substr(mark + k_recording_mark.size());
      m_prompt.resize(mark);
    }
    return {.head = std::move(m_head.head),
            .prompt = std::move(m_prompt),
            .recording = std::move(recording),
            .answer = std::move(m_answer),
            .outcome = m_outcome ? std::move(*m_outcome) : Json{{"outcome", "interrupted"}}};
  }

 private:
  void take(FrameType type, const std::string& plain) {
    switch (type) {
      case FrameType::head:
        m_head = head_from_bytes(plain, m_id);
        break;
      case FrameType::prompt:
        append(m_prompt, plain);
        break;
      case FrameType::piece:
        append(m_answer, plain);
        break;
      case FrameType::close:
        m_outcome = parse_json(plain);
        break;
      case FrameType::begin:  // holds the key, and is read before
        break;
    }
  }
  void append(std::string& text, const std::string& more) const {
    if (text.size() + more.size() > k_max_content) damaged(m_text, "it is longer than any record");
    text += more;
  }

  RecordId m_id;
  std::string m_text;
  Aead m_aead;
  ParsedHead m_head;
  std::string m_prompt, m_answer;
  std::optional<Json> m_outcome;
  FrameType m_last = FrameType::head;
  std::uint32_t m_frames = 0;
};

std::string body_at(const ReadAt& read, const FrameHeader& header, std::uint64_t place) {
  std::string body(header.size, '\0');
  if (!read(place, {reinterpret_cast<std::uint8_t*>(body.data()), body.size()})) body.clear();
  return body;
}

/// The first frame of a record.
Begin begin_of(SegmentFiles& segment, std::uint32_t number) {
  const auto slot = segment.slot(number);
  const auto id = text_of(slot.id);
  if (!segment.has_frames()) damaged(id, "its segment is missing");
  std::optional<Begin> begin;
  const auto read = segment.frames();
  const auto end = walk_frames(read, slot.offset, [&](const FrameHeader& header, std::uint64_t place) {
    if (header.slot != number || header.type != FrameType::begin) damaged(id, "its place was changed");
    begin = Begin::parse(body_at(read, header, place));
    return false;
  });
  if (!begin && end == FramesEnd::damaged) damaged(id, "a frame's header was changed");
  if (!begin) never_acknowledged(id);
  if (begin->id != slot.id) damaged(id, "its id was changed");
  return *begin;
}

SecretKey key_of(SegmentFiles& segment, std::uint32_t number, const SegmentKey& keys, const Begin& begin) {
  const auto slot = segment.slot(number);
  const auto id = text_of(slot.id);
  if (slot.erased()) throw Error(ErrorCode::record_erased, fmt::format("the content of the record {} was erased", id));
  const auto key = keys.unwrap(slot, number, begin);
  if (!key) damaged(id, "its key was changed");
  return *key;
}

struct Loaded {
  Assembly assembly;
  FramesEnd end;
};

Loaded load(SegmentFiles& segment, std::uint32_t number, const SecretKey& key) {
  const auto slot = segment.slot(number);
  Assembly assembly(slot.id, key);
  const auto read = segment.frames();
  const auto end = walk_frames(read, slot.offset, [&](const FrameHeader& header, std::uint64_t place) {
    if (header.slot != number || header.type == FrameType::begin) return true;
    assembly.add(header, body_at(read, header, place));
    return !assembly.closed();
  });
  if (assembly.frames() == 0) {
    if (end == FramesEnd::damaged) damaged(text_of(slot.id), "a frame's header was changed");
    never_acknowledged(text_of(slot.id));
  }
  return {std::move(assembly), end};
}

/// Of a record whose prompt is whole, which is not decrypted.
RecordHead load_head(SegmentFiles& segment, std::uint32_t number, const SecretKey& key) {
  const auto slot = segment.slot(number);
  Assembly assembly(slot.id, key);
  std::uint64_t prompt = 0;
  const auto is_whole = [&] { return assembly.frames() > 0 && prompt >= assembly.prompt_size(); };
  const auto read = segment.frames();
  const auto end = walk_frames(read, slot.offset, [&](const FrameHeader& header, std::uint64_t place) {
    if (header.slot != number || header.type == FrameType::begin) return true;
    if (assembly.frames() == 0) {
      assembly.add(header, body_at(read, header, place));
    } else {
      prompt += header.size - Aead::k_tag;
    }
    return !is_whole();
  });
  if (!is_whole() && end == FramesEnd::damaged) damaged(text_of(slot.id), "a frame's header was changed");
  if (!is_whole()) never_acknowledged(text_of(slot.id));
  return assembly.head();
}

[[noreturn]] void not_kept(std::string_view id) {
  throw Error(ErrorCode::not_found, fmt::format("the content of the record {} was not kept", id),
              "it was made in mode hash-only: the audit log has its entry");
}

Record read_record(SegmentFiles& segment, std::uint32_t number, const SecretKey& key) {
  auto loaded = load(segment, number, key);
  return loaded.assembly.finish(loaded.end);
}

bool fits(const RecordHead& head, const RecordReader::Filter& filter) {
  return (filter.user.empty() || head.user == filter.user) && (filter.model.empty() || head.model == filter.model) &&
         (filter.tag.empty() || std::find(head.tags.begin(), head.tags.end(), filter.tag) != head.tags.end()) &&
         (!filter.from || head.time >= *filter.from) && (!filter.to || head.time <= *filter.to);
}

/// How many frames of the record there are, and the digest of the bodies of the first `wanted`. Needs no key.
std::pair<std::uint64_t, Digest> ciphertext_of(SegmentFiles& segment, std::uint32_t number, std::uint64_t wanted) {
  Hasher hasher;
  std::uint64_t count = 0;
  const auto read = segment.frames();
  walk_frames(read, segment.slot(number).offset, [&](const FrameHeader& header, std::uint64_t place) {
    if (header.slot != number || header.type == FrameType::begin) return true;
    if (++count > wanted) return false;
    hasher.update(body_at(read, header, place));
    return header.type != FrameType::close;
  });
  return {count, hasher.finish()};
}

struct NewestEntry {
  std::optional<std::uint64_t> index;  ///< nullopt: it is durable, and on its way into the log
  AuditEvent event;
};

/// What waits in records/ahead. Its writer may be at it: what is whole is taken.
std::optional<NewestEntry> entry_ahead(const fs::path& folder, const std::string& id) {
  const auto bytes = read_ahead_file(folder);
  std::optional<NewestEntry> newest;
  for (const auto& group : ahead_groups(bytes)) {
    for (const auto& line : group.entries) {
      if (line.find(id) == std::string_view::npos) continue;
      auto entry = entry_from_bytes(line, 0);
      if (entry.event.type == "prompt.record" && entry.event.subject == id) newest = {{}, std::move(entry.event)};
    }
  }
  return newest;
}

std::optional<NewestEntry> newest_entry(const fs::path& folder, const std::string& id, const AuditLog& log) {
  std::optional<NewestEntry> newest;
  // Twice: between the two looks it may have left the one place for the other.
  for (int look = 0; look < 2; ++look) {
    if (const auto entry = log.find_last("prompt.record", id)) newest = {entry->index, entry->event};
    if (newest && newest->event.outcome != Outcome::intent) return newest;
    auto waiting = entry_ahead(folder, id);
    if (waiting && (!newest || waiting->event.outcome != Outcome::intent)) return waiting;
  }
  return newest;
}

void compare(const std::string& id, const Json& detail, std::string_view key, std::string_view actual) {
  if (detail.value(key, Json()) != actual) damaged(id, fmt::format("its {} is not the one of the audit log", key));
}

void compare_content(const std::string& id, const Json& detail, const Record& record, const SecretKey& key) {
  const auto mac = mac_key(key);
  Hmac prompt(mac);
  prompt.update(record.prompt);
  if (!record.recording.empty()) {
    prompt.update(k_recording_mark);
    prompt.update(record.recording);
  }
  compare(id, detail, "prompt_hmac", encode_hex(prompt.finish()));
  if (detail.contains("answer_hmac")) {
    compare(id, detail, "answer_hmac", encode_hex(hmac_sha256(mac, record.answer)));
    if (detail.value("outcome", Json()) != record.outcome) damaged(id, "its outcome is not the one of the audit log");
  }
  const auto& head = record.head;
  for (const auto& [name, value] : {std::pair{"user", &head.user},
                                    {"key_id", &head.key_id},
                                    {"peer", &head.peer},
                                    {"endpoint", &head.endpoint},
                                    {"model", &head.model},
                                    {"model_digest", &head.model_digest},
                                    {"engine", &head.engine}}) {
    compare(id, detail, name, *value);
  }
}

bool was_erased(const std::string& id, const AuditLog& log) {
  const auto newest = log.find_last("record.erase", id);
  if (!newest) return false;
  // An intent that nothing follows may have been killed after the deed.
  if (newest->event.outcome != Outcome::failure) return true;
  const auto succeeded = [](const AuditEntry& entry) { return entry.event.outcome == Outcome::success; };
  return log.find_last("record.erase", id, succeeded).has_value();
}

/// @param endpoint says of which class it was
bool has_expired(Timestamp begun, std::string_view endpoint, const AuditLog& log) {
  const std::string one(name(class_of(endpoint)));
  const auto reached_it = [&](const AuditEntry& entry) {
    const auto before = parse_json(entry.event.detail).value("before", Json());
    const auto until = before.is_object() ? before.value(one, Json()) : before;  // older entries: one for all classes
    return until.is_string() && begun < parse_time(until.get<std::string>());
  };
  return log.find_last("record.expire", "records", reached_it).has_value();
}

/// Who can write the folder can destroy a key as we do: only the log tells whether it was us.
void require_announced_erasure(const fs::path& folder, const RecordId& of, std::string_view endpoint,
                               const AuditLog& log) {
  const auto id = text_of(of);
  if (RecordKeeper(folder).hold_of(id)) damaged(id, "it is held, and its key is destroyed");
  if (!was_erased(id, log) && !has_expired(time_of(of), endpoint, log)) {
    damaged(id, "its key is destroyed, and the audit log has no erasure of it");
  }
}

}  // namespace

RecordReader::RecordReader(fs::path folder, fs::path kek_file)
    : m_folder(std::move(folder)), m_kek_file(std::move(kek_file)) {}

RecordReader::Findings RecordReader::find(const Filter& filter,
                                          const std::function<bool(const RecordHead&)>& visit) const {
  Findings findings;
  std::set<std::string> cut;
  search(filter, visit, findings, cut);
  if (filter.log == nullptr || cut.empty()) return findings;
  auto& damaged_ones = findings.damaged;
  try {
    // In one pass: there may be many of them.
    filter.log->for_each(0, filter.log->size(), [&](const AuditEntry& entry) {
      const auto& event = entry.event;
      if (event.type == "prompt.record" && cut.erase(event.subject) > 0) damaged_ones.push_back(event.subject);
      return !cut.empty() && !filter.stop.stop_requested();
    });
  } catch (const Error&) {
    // What was found is told all the same; of the rest, the log that cannot be read knows more than we do.
    damaged_ones.insert(damaged_ones.end(), cut.begin(), cut.end());
  }
  return findings;
}

void RecordReader::search(const Filter& filter, const std::function<bool(const RecordHead&)>& visit, Findings& findings,
                          std::set<std::string>& cut) const {
  auto names = segment_names(m_folder);
  if (names.empty()) return;
  const auto kek = load_kek(m_kek_file);
  std::reverse(names.begin(), names.end());
  for (const auto& name : names) {
    SegmentFiles segment(m_folder, name, Access::read);
    const auto keys = segment.unlock(kek);
    for (auto number = segment.slot_count(); number-- > 0;) {
      if (filter.stop.stop_requested()) return;
      const auto slot = segment.slot(number);
      if (!slot.used()) {
        // The two were written at once.
        if (slot.id != RecordId{}) cut.insert(text_of(slot.id));
        continue;
      }
      if (slot.erased()) {
        ++findings.without_content;
        continue;
      }
      try {
        const auto begin = begin_of(segment, number);
        if (begin.mode == RecordMode::hash_only) {
          ++findings.without_content;
          continue;
        }
        const auto key = key_of(segment, number, keys, begin);
        const auto head = load_head(segment, number, key);
        ++findings.searched;
        if (!fits(head, filter)) continue;
        if (!filter.text.empty() && !tags_hold(head, filter.text)) {
          const auto record = read_record(segment, number, key);
          if (!holds_text(record.prompt, filter.text) && !answer_holds(record.answer, filter.text)) continue;
        }
        if (!visit(head)) return;
      } catch (const Error& error) {
        if (error.code() == ErrorCode::record_erased) continue;
        if (error.code() == ErrorCode::io_error) throw;
        if (error.code() == ErrorCode::not_found) {
          cut.insert(text_of(slot.id));
        } else {
          findings.damaged.push_back(text_of(slot.id));
        }
      }
    }
  }
}

Record RecordReader::read(const std::string& id) const {
  auto [segment, number] = find_slot(m_folder, id, Access::read);
  // An erased record needs no key to be told.
  if (segment.slot(number).erased()) {
    throw Error(ErrorCode::record_erased, fmt::format("the content of the record {} was erased", id));
  }
  const auto keys = segment.unlock(load_kek(m_kek_file));
  const auto begin = begin_of(segment, number);
  const auto key = key_of(segment, number, keys, begin);
  if (begin.mode == RecordMode::hash_only) not_kept(id);
  return read_record(segment, number, key);
}

Json RecordReader::verify(const std::string& id, const AuditLog& log) const {
  try {
    return compare_with_log(id, log);
  } catch (const Error& error) {
    // What was never answered is not found, and has no entry.
    if (error.code() != ErrorCode::not_found || !newest_entry(m_folder, id, log)) throw;
    throw Error(ErrorCode::blob_corrupt,
                fmt::format("the record {} is damaged: the audit log has it, and here it is cut off, or gone", id),
                "after a power cut the next `liftlock serve` puts back what was on its way; otherwise somebody changed "
                "it, or the disk fails: restore STATE/records from a backup and compare");
  }
}

Json RecordReader::compare_with_log(const std::string& id, const AuditLog& log) const {
  auto [segment, number] = find_slot(m_folder, id, Access::read);
  const auto slot = segment.slot(number);
  const auto entry = newest_entry(m_folder, id, log);
  if (!entry) damaged(id, "the audit log has no entry of it; a power cut as it was begun explains that, too");
  const auto detail = parse_json(entry->event.detail);
  Json result = {{"id", id},
                 {"entry", entry->index ? Json(*entry->index) : Json()},
                 {"mode", detail.value("mode", "")},
                 {"erased", slot.erased()},
                 {"ciphertext", Json()},
                 {"outcome", detail.value("outcome", Json())}};
  const bool has_content = detail.value("mode", "") == "full";
  if (slot.erased()) {
    require_announced_erasure(m_folder, slot.id, detail.value("endpoint", ""), log);
  } else {
    const auto keys = segment.unlock(load_kek(m_kek_file));
    const auto begin = begin_of(segment, number);
    if (has_content != (begin.mode == RecordMode::full)) damaged(id, "the audit log has it in another mode");
    const auto key = key_of(segment, number, keys, begin);
    if (has_content) compare_content(id, detail, read_record(segment, number, key), key);
  }
  // Of a segment whose records all expired the frames are gone.
  if (!has_content || (slot.erased() && !segment.has_frames())) return result;
  const auto frames = uint_member(detail, "frames", "the audit entry of a record");
  const auto [count, digest] = ciphertext_of(segment, number, frames);
  const bool closed = detail.contains("answer_hmac");
  if (closed ? count != frames : count < frames) damaged(id, "it has another number of frames than the audit log says");
  compare(id, detail, "ciphertext", digest.text());
  result["ciphertext"] = digest.text();
  result["frames"] = frames;
  return result;
}

}  // namespace liftlock
